"""The way of an inference Workspace through its steps, with the world behind the activities played by tests.fakes.

In virtual time where there are no races; a step that fails cancels its siblings, which is one.
"""

from typing import Literal

import pytest

from activities.contract import signatures as s
from activities.contract.failures import failure
from api.resource.status import Phase
from tests.workflows.conftest import Bench


def last(bench: Bench, condition: str) -> dict[str, str]:
    return next(entry for entry in bench.world.statuses[-1]["conditions"] if entry["type"] == condition)


@pytest.mark.parametrize("bench", [100, 0], ids=["cached", "replayed at every step"], indirect=True)
async def test_a_workspace_becomes_ready_and_a_delete_releases_everything(bench: Bench) -> None:
    await bench.signal()
    state = await bench.settled()
    assert state.status.phase is Phase.READY
    assert [record.step for record in state.status.steps] == [
        "Size", "Preflight", "PrepareModel", "ProvisionNodes", "Deploy", "AwaitNodes", "AwaitServing", "Verify",
    ]  # fmt: skip
    assert bench.world.finalizer and bench.world.pools and bench.world.workloads
    assert await bench.delete() == []
    assert not bench.world.pools and not bench.world.workloads and not bench.world.exists
    assert bench.world.calls["ensure_node_pool"] == 1


async def test_a_release_is_told_what_the_last_apply_has_made(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    await bench.edit(digest="digest-2")
    await bench.settled()
    assert await bench.delete() == []
    assert bench.world.removals == [{"Deployment": "of digest-2"}]


async def test_a_release_is_told_nothing_while_it_is_unsure_what_is_there(bench: Bench) -> None:
    """An apply that fails may have made some of what it was asked for; it is tried locally, then as others are."""
    await bench.signal()
    await bench.settled()
    bench.world.fail_next(s.ENSURE_WORKLOAD, *[failure("ConfigInvalid", "no such option", final=True)] * 2)
    await bench.edit(digest="digest-2")
    await bench.settled("failed")
    await bench.delete()
    assert bench.world.removals and not any(bench.world.removals)


@pytest.mark.parametrize("kind", ["preset", "template"])
async def test_pods_that_nobody_asks_for_a_completion_have_to_stay_ready(
    bench: Bench, kind: Literal["preset", "template"]
) -> None:
    """A template's server need not be one of language models, and one that crashes again and again is ready between."""
    bench.world.kind = kind
    await bench.signal()
    state = await bench.settled()
    assert state.status.phase is Phase.READY
    asked = [record.step for record in state.status.steps if record.step == "Verify"]
    assert (bench.world.calls["read_completions"], asked) == ((1, ["Verify"]) if kind == "preset" else (0, []))
    await bench.signal(resync=True)
    await bench.until(lambda _: bench.world.looked_for)
    waited = {request.steady for request in bench.world.waited_for}
    looked = {request.steady for request in bench.world.looked_for}
    assert waited == looked == {kind == "template"}


async def test_conditions_become_true_with_kaitos_reasons(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    await bench.until(lambda _: bench.world.statuses[-1].get("phase") == "Ready")
    types = ["NodeClaimReady", "NodesReady", "ResourceReady", "InferenceReady", "WorkspaceSucceeded"]
    assert [last(bench, type_)["status"] for type_ in types] == ["True"] * 5
    assert last(bench, "InferenceReady")["reason"] == "WorkspaceInferenceStatusSuccess"
    assert bench.world.statuses[-1]["state"] == "Ready"


async def test_the_model_and_every_adapter_are_verified(bench: Bench) -> None:
    bench.world.adapters = ("facts", "tone")
    await bench.signal()
    assert (await bench.settled()).status.phase is Phase.READY
    assert bench.world.verified == ["model", "facts", "tone"]


async def test_the_finalizer_is_there_before_anything_is_bought(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    order = bench.world.order
    assert order.index("ensure_finalizer") < order.index("ensure_node_pool")
    assert order.index("read_preflight") < order.index("ensure_node_pool")


async def test_the_workload_is_created_while_nodes_are_still_being_bought(bench: Bench) -> None:
    gate = bench.world.block(s.ENSURE_NODE_POOL)
    await bench.signal()
    await bench.until(lambda _: bool(bench.world.workloads))
    assert not bench.world.pools
    gate.set()
    await bench.settled()


async def test_a_failed_plan_buys_nothing_and_reports_the_reason(bench: Bench) -> None:
    bench.world.fail_next(s.BUILD_PLAN, failure("PresetUnknown", "unknown preset 'x': did you mean y?"))
    await bench.signal()
    state = await bench.settled("failed")
    assert (state.status.phase, state.status.reason, state.status.message) == (
        Phase.FAILED, "PresetUnknown", "unknown preset 'x': did you mean y?",
    )  # fmt: skip
    await bench.until(lambda _: bool(bench.world.statuses) and bench.world.statuses[-1].get("phase") == "Failed")
    assert last(bench, "WorkspaceSucceeded")["reason"] == "PresetUnknown"
    assert bench.world.calls["ensure_node_pool"] == bench.world.calls["ensure_workload"] == 0


async def test_quota_is_not_tried_again_and_what_was_deployed_is_removed(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, failure("QuotaExceeded", "needs 24 vCPUs, 0 of 24 are left"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.status.reason == "QuotaExceeded"
    assert live_bench.world.calls["ensure_node_pool"] == 1
    assert not live_bench.world.workloads and not state.resources.holdings
    assert live_bench.world.calls["delete_node_pool"] == 1, (
        "a refused purchase may still have been one: the truth is asked"
    )


async def test_a_busy_cluster_is_waited_out(bench: Bench) -> None:
    bench.world.fail_next(s.ENSURE_NODE_POOL, *(failure("CloudBusy", "another operation") for _ in range(12)))
    await bench.signal()
    await bench.settled()
    assert bench.world.calls["ensure_node_pool"] == 13


async def test_nodes_that_never_join_are_replaced_twice_and_then_released(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.WAIT_FOR_NODES, *(failure("NodeNotJoined", "0 of 1", final=True) for _ in range(3)))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.status.reason == "NodeNotJoined"
    assert live_bench.world.calls["ensure_node_pool"] == 3
    assert not live_bench.world.pools


async def test_a_pod_that_cannot_serve_fails_the_pass_and_releases_the_nodes(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, failure("ContainerOOMKilled", "out of memory", final=True))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.status.reason == "ContainerOOMKilled"
    assert not live_bench.world.pools and not live_bench.world.workloads


async def test_a_bug_in_an_activity_ends_the_pass_and_not_the_controller(bench: Bench) -> None:
    bench.world.fail_next(s.ENSURE_WORKLOAD, *(ZeroDivisionError("oops") for _ in range(9)))
    await bench.signal()
    state = await bench.settled("failed")
    assert (state.status.phase, state.status.reason) == (Phase.CONTROLLER_ERROR, "ControllerError")
    assert "ZeroDivisionError" in state.status.message
    assert not bench.world.pools
    bench.world._failures.clear()
    await bench.edit()
    assert (await bench.settled()).status.phase is Phase.READY
