"""An edit that fails takes nothing down: what served before it is put back, on the same nodes, and the status says so.

In real time: an edit that comes during the putting back, and a delete, are races.
"""

import asyncio
import gc
import sys
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.contract import queues
from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Check
from activities.contract.signatures import Signature
from api.resource.status import Phase
from testing.deadlines import PATIENCE_S
from tests.workflows.conftest import Bench, working
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.state import WorkspaceState
from workflows.workspace import WorkspaceWorkflow

CRASH = failure("ContainerCrashLoopBackOff", "container serve ended: invalid tool call parser: qwen", final=True)
OTHER_MACHINE = "Standard_NC48ads_A100_v4"
FAILURES: dict[str, tuple[Signature[Any, Any], ApplicationError]] = {
    "a crash": (s.WAIT_FOR_SERVING, CRASH),
    "a deadline": (s.WAIT_FOR_SERVING, failure("ServingTimeout", "no pod", final=True)),
    "an apply": (s.ENSURE_WORKLOAD, failure("ConfigInvalid", "no such option", final=True)),
    "wrong answers": (s.READ_COMPLETIONS, failure("VerifyFailed", "404 for model", final=True)),
}


async def ready(bench: Bench, **made: Any) -> None:
    for name, value in made.items():
        setattr(bench.world, name, value)
    await bench.signal()
    await bench.settled()


async def failed_edit(bench: Bench, error: Exception = CRASH) -> WorkspaceState:
    bench.world.fail_next(s.WAIT_FOR_SERVING, error)
    await bench.edit(digest="digest-2")
    return await bench.settled()


async def next_run(bench: Bench, than: str | None) -> str | None:
    """The run that has taken the state over from this one."""
    assert bench.handle is not None
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await bench.handle.describe()).run_id) == than:
            await asyncio.sleep(0.1)
    return found


def condition(bench: Bench, type_: str) -> dict[str, Any]:
    return next(one for one in bench.world.statuses[-1]["conditions"] if one["type"] == type_)


@pytest.mark.parametrize("kind", FAILURES)
async def test_the_last_good_generation_serves_again_on_the_same_nodes(live_bench: Bench, kind: str) -> None:
    await ready(live_bench)
    signature, error = FAILURES[kind]
    live_bench.world.fail_next(signature, error)
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY
    assert state.status.message.startswith("generation 2 failed: ") and error.message in state.status.message
    assert state.status.message.endswith("; generation 1 serves")
    assert live_bench.world.applied == "digest-1" and live_bench.world.restored == ["digest-1"]
    assert live_bench.world.calls["delete_node_pool"] == live_bench.world.calls["delete_workload"] == 0
    assert live_bench.world.calls["ensure_node_pool"] == 1
    assert state.status.steps[-3].step == "Restore"


async def test_conditions_stay_true_of_what_serves_and_one_says_what_failed(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    await live_bench.until(lambda _: live_bench.world.statuses[-1].get("phase") == "Ready")
    status = live_bench.world.statuses[-1]
    assert (status["state"], status["reason"], status["observedGeneration"]) == (
        "Ready",
        "ContainerCrashLoopBackOff",
        2,
    )
    for type_ in ("InferenceReady", "WorkspaceSucceeded", "NodesReady"):
        assert (condition(live_bench, type_)["status"], condition(live_bench, type_)["observedGeneration"]) == (
            "True",
            1,
        )
    applied = condition(live_bench, "GenerationApplied")
    assert (applied["status"], applied["reason"]) == ("False", "ContainerCrashLoopBackOff")
    assert "invalid tool call parser" in applied["message"] and applied["observedGeneration"] == 2
    await live_bench.edit(digest="digest-3")
    await live_bench.settled()
    await live_bench.until(lambda _: condition(live_bench, "GenerationApplied")["status"] == "True")
    assert condition(live_bench, "InferenceReady")["observedGeneration"] == 3


async def test_the_verdict_is_told_before_the_last_good_one_is_put_back(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.fail_next(s.READ_COMPLETIONS, failure("VerifyFailed", "404 for model", final=True))
    restoring = live_bench.world.hold_restore()
    await live_bench.edit(digest="digest-2")
    await live_bench.until(lambda state: "generation 2 failed: 404 for model" in state.status.message)
    assert condition(live_bench, "GenerationApplied")["status"] == "False"
    restoring.set()
    await live_bench.settled()


async def test_a_newer_edit_supersedes_the_putting_back(live_bench: Bench) -> None:
    await ready(live_bench)
    restoring = live_bench.world.hold_restore()
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
    await live_bench.edit(digest="digest-2")
    await live_bench.until(lambda state: state.status.step == "Restore")
    restoring.set()
    await live_bench.edit(digest="digest-3")
    state = await live_bench.settled()
    assert (state.status.reason, live_bench.world.applied) == ("workspaceSucceeded", "digest-3")
    assert state.spec.failed is None and live_bench.world.calls["ensure_node_pool"] == 1


async def test_an_edit_that_is_refused_while_another_is_carried_out_leaves_the_last_good_one(live_bench: Bench) -> None:
    await ready(live_bench)
    gate = live_bench.world.block(s.WAIT_FOR_SERVING)
    await live_bench.edit(digest="digest-2")
    await live_bench.until(lambda _: live_bench.world.applied == "digest-2")
    live_bench.world.fail_next(s.BUILD_PLAN, failure("InvalidSpec", "resource.count is 0"))
    live_bench.world.generation += 1
    await live_bench.signal()
    gate.set()
    state = await live_bench.settled()
    assert (state.status.phase, live_bench.world.applied) == (Phase.READY, "digest-1")
    assert "generation 3 failed: resource.count is 0; generation 1 serves" in state.status.message
    assert live_bench.world.calls["delete_node_pool"] == 0


async def test_a_delete_during_the_putting_back_leaves_nothing(live_bench: Bench) -> None:
    await ready(live_bench)
    restoring = live_bench.world.hold_restore()
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
    await live_bench.edit(digest="digest-2")
    await live_bench.until(lambda state: state.status.step == "Restore")
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    restoring.set()
    assert await handle.result() == []
    assert not live_bench.world.pools and not live_bench.world.workloads and not live_bench.world.exists


async def test_nodes_lost_during_the_putting_back_are_replaced(live_bench: Bench) -> None:
    await ready(live_bench)
    restoring = live_bench.world.hold_restore()
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
    await live_bench.edit(digest="digest-2")
    await live_bench.until(lambda state: state.status.step == "Restore")
    gate = live_bench.world.block(s.WAIT_FOR_SERVING)
    restoring.set()
    await live_bench.until(lambda _: live_bench.world.calls["wait_for_serving"] == 3)
    live_bench.world.lose_a_node()
    await live_bench.until(lambda _: live_bench.world.calls["wait_for_serving"] == 4)
    gate.set()
    state = await live_bench.settled()
    assert live_bench.world.repairs == 1
    assert live_bench.world.applied == "digest-1" and "generation 1 serves" in state.status.message


async def test_a_node_lost_later_repairs_what_serves_and_not_what_failed(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    planned = live_bench.world.calls["build_plan"]
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert live_bench.world.calls["build_plan"] == planned, "what failed was tried again"
    assert live_bench.world.applied == "digest-1"
    assert "generation 2 failed: " in state.status.message and "generation 1 serves" in state.status.message


async def test_looks_leave_what_serves_alone_and_do_not_try_what_failed_again(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    calls = live_bench.world.calls["ensure_workload"]
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda _: live_bench.world.calls["read_health"] == 1)
    await live_bench.progress()
    assert live_bench.world.calls["ensure_workload"] == calls


async def test_a_lost_node_is_replaced_although_the_newest_generation_cannot_be_planned(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.refused = failure("InvalidSpec", "resource.count is 0")
    await live_bench.edit()
    await live_bench.settled()
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert state.status.phase is Phase.READY and "generation 2 is not applied" in state.status.message
    assert live_bench.world.calls["delete_node_pool"] == 0


async def test_a_changed_config_map_that_fails_is_told_apart_from_its_generation(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.digest = "digest-of-a-bad-config-map"
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: state.spec.failed is not None and state.status.settled == "ready")
    assert state.status.message.endswith("; generation 1 as it was before serves")
    assert live_bench.world.applied == "digest-1"
    live_bench.world.digest = "digest-1"  # taken back
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: state.spec.failed is None and state.status.settled == "ready")
    assert state.status.reason == "workspaceSucceeded"


async def test_what_failed_is_tried_again_on_request(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    await live_bench.signal(retry="again")
    state = await live_bench.until(lambda state: state.spec.failed is None and state.status.settled == "ready")
    assert live_bench.world.applied == "digest-2" and state.status.reason == "workspaceSucceeded"


async def test_when_it_cannot_be_put_back_everything_is_given_back_and_both_causes_are_told(live_bench: Bench) -> None:
    await ready(live_bench)
    gone = failure("ContainerOOMKilled", "container serve ran out of memory", final=True)
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH, gone)
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled("failed")
    assert (state.status.phase, state.status.reason) == (Phase.FAILED, "ContainerCrashLoopBackOff")
    assert "generation 2 failed: container serve ended" in state.status.message
    assert "generation 1 could not be put back: container serve ran out of memory" in state.status.message
    assert not live_bench.world.pools and not live_bench.world.workloads and not state.resources.holdings


async def test_a_machine_that_cannot_be_had_is_known_before_the_old_one_is_given_back(live_bench: Bench) -> None:
    await ready(live_bench)
    refused = Check(name="SkuOffered", outcome="failed", reason="SkuNotAvailable", message="not offered here")
    live_bench.world.checks_of[OTHER_MACHINE] = [refused]
    await live_bench.edit(instance_type=OTHER_MACHINE, digest="digest-2")
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY and "generation 2 is not applied: not offered here" in state.status.message
    assert live_bench.world.calls["delete_node_pool"] == live_bench.world.calls["delete_workload"] == 0
    assert state.spec.plan is not None and state.spec.plan.digest == "digest-1"


async def test_other_machines_that_are_all_refused_leave_the_nodes_alone(live_bench: Bench) -> None:
    await ready(live_bench)
    for machine in ("Standard_A", "Standard_B"):
        live_bench.world.checks_of[machine] = [
            Check(name="SkuOffered", outcome="failed", reason="SkuNotAvailable", message=f"no {machine}")
        ]
    live_bench.world.options = [("Standard_A", False), ("Standard_B", False)]
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY and live_bench.world.applied == "digest-1"
    assert live_bench.world.calls["delete_node_pool"] == live_bench.world.calls["delete_workload"] == 0


async def test_a_machine_that_is_not_sold_brings_the_old_one_back(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, failure("AllocationFailed", "none is free", final=True))
    await live_bench.edit(instance_type=OTHER_MACHINE, digest="digest-2")
    state = await live_bench.settled()
    assert (state.status.phase, state.status.reason) == (Phase.READY, "AllocationFailed")
    assert "generation 2 failed: none is free; generation 1 serves" in state.status.message
    assert list(live_bench.world.pools.values()) == ["Standard_NC24ads_A100_v4"]
    assert live_bench.world.applied == "digest-1" and live_bench.world.kept == ["digest-1"]


async def test_a_failed_training_keeps_the_adapter_that_was_published(live_bench: Bench) -> None:
    await ready(live_bench, kind="tuning")
    live_bench.world.training_digest = "training-2"
    stop = failure("WorkspaceTuningJobStatusFailed", "loss is not a number", final=True)
    live_bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, None, None, stop)
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled("failed")
    assert state.status.phase is Phase.FAILED and not live_bench.world.pools
    assert "the adapter of generation 1 is still at registry.example/adapters/one@sha256" in state.status.message
    await live_bench.until(lambda _: live_bench.world.statuses[-1].get("phase") == "Failed")
    assert live_bench.world.statuses[-1]["adapter"]["digest"].startswith("sha256:aaa")


@pytest.mark.parametrize("bench", [0], ids=["replayed at every step"], indirect=True)
async def test_it_is_all_in_the_workflows_state(bench: Bench) -> None:
    await ready(bench)
    state = await failed_edit(bench)
    assert state.status.message.endswith("; generation 1 serves") and bench.world.restored == ["digest-1"]
    assert await bench.delete() == []
    assert not bench.world.pools and not bench.world.workloads


async def test_what_serves_instead_is_repaired_in_the_next_run_too(live_bench: Bench) -> None:
    """History is bounded: the run that has seen the edit fail is not the one that sees the node go."""
    seed = WorkspaceInput(key=WorkspaceKey(namespace="default", name=live_bench.name, uid="uid-1"), history_limit=20)
    live_bench.handle = await live_bench.client.start_workflow(
        WorkspaceWorkflow.run, seed, id=f"workspace/default/{live_bench.name}", task_queue=queues.WORKSPACES,
        start_signal=SIGNAL_CHANGED, start_signal_args=[Changed(uid="uid-1", generation=1)],
    )  # fmt: skip
    first = live_bench.handle.result_run_id
    live_bench.handle = live_bench.client.get_workflow_handle_for(WorkspaceWorkflow.run, live_bench.handle.id)
    await live_bench.settled()
    second = await next_run(live_bench, first)
    before = await failed_edit(live_bench)
    await next_run(live_bench, second)
    after = await live_bench.progress()
    assert (after.spec.failed, after.spec.good) == (before.spec.failed, before.spec.good)
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert live_bench.world.applied == "digest-1"


async def test_a_worker_that_goes_away_while_it_is_put_back_ends_without_a_sound(
    live: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: complaints.append(repr(unraisable)))
    async with working(live) as bench:
        await ready(bench)
        restoring = bench.world.hold_restore()
        bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
        await bench.edit(digest="digest-2")
        await bench.until(lambda state: state.status.step == "Restore")
        restoring.set()
    gc.collect()
    assert complaints == []
