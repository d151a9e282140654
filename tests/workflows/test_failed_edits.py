"""An edit that fails takes nothing down: what served before is put back on the same nodes, and the status says so."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.plan import Check
from activities.contract.signatures import Signature
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from tests.workflows.edits import CRASH, condition, failed_edit, ready

OTHER_MACHINE = "Standard_NC48ads_A100_v4"
FAILURES: dict[str, tuple[Signature[Any, Any], ApplicationError]] = {
    "a crash": (s.WAIT_FOR_SERVING, CRASH),
    "a deadline": (s.WAIT_FOR_SERVING, failure("ServingTimeout", "no pod", final=True)),
    "an apply": (s.ENSURE_WORKLOAD, failure("ConfigInvalid", "no such option", final=True)),
    "wrong answers": (s.READ_COMPLETIONS, failure("VerifyFailed", "404 for model", final=True)),
}


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
