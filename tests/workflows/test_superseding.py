"""Edits, deletes, late words and people's requests, at any moment of a pass."""

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.plan import Check
from activities.contract.signatures import Signature
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from workflows.workspace import WorkspaceWorkflow

# In the order of a first generation. A test holds that nothing is left out.
EVERY_STEP: list[Signature[Any, Any]] = [
    s.BUILD_PLAN, s.READ_MODEL_REVISION, s.ENSURE_FINALIZER, s.READ_WORKLOAD_PREFLIGHT, s.READ_PREFLIGHT,
    s.ENSURE_WORKLOAD, s.ENSURE_NODE_POOL, s.WAIT_FOR_NODES, s.WAIT_FOR_SERVING,
    s.READ_COMPLETIONS,
]  # fmt: skip


async def test_the_list_of_steps_is_complete(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    scheduled = await live_bench.scheduled()
    assert scheduled.keys() - {s.PATCH_STATUS.name} == {signature.name for signature in EVERY_STEP}


@pytest.mark.parametrize("signature", EVERY_STEP, ids=lambda signature: signature.name)
async def test_a_delete_during_any_step_leaves_nothing(live_bench: Bench, signature: Signature[Any, Any]) -> None:
    gate = live_bench.world.block(signature)
    await live_bench.signal()
    await live_bench.world.entered[signature.name].wait()
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    gate.set()
    assert await handle.result() == []
    assert not live_bench.world.pools and not live_bench.world.workloads and not live_bench.world.exists


async def test_a_newer_generation_cancels_the_older_and_waits_for_it_to_confirm(live_bench: Bench) -> None:
    gate = live_bench.world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await live_bench.world.entered["wait_for_serving"].wait()
    gate.set()
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.spec.observed == 2
    assert state.spec.plan is not None and state.spec.plan.digest == "digest-2"
    assert len(live_bench.world.pools) == 1


async def test_another_machine_type_releases_the_old_pool_first(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.edit(instance_type="Standard_NC48ads_A100_v4", digest="digest-2")
    await live_bench.settled()
    assert live_bench.world.pools == {"wsjje2z6fgxv": "Standard_NC48ads_A100_v4"}


async def test_stale_and_duplicate_messages_change_nothing(live_bench: Bench) -> None:
    live_bench.world.generation = 5
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.until(lambda _: live_bench.world.statuses[-1].get("phase") == "Ready")
    scheduled = await live_bench.scheduled()
    for generation in (5, 3, 1, 5):
        await live_bench.signal(generation=generation)
    assert await live_bench.scheduled() == scheduled


async def test_a_late_message_of_a_predecessor_does_not_end_its_successor(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.signal(uid="uid-0", deleting=True)
    await live_bench.until(lambda _: live_bench.world.calls["read_workspace"] == 1)
    assert (await live_bench.progress()).status.phase is Phase.READY
    assert live_bench.world.pools


async def test_a_successor_starts_after_everything_is_released(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.uid, live_bench.world.generation = "uid-2", 1
    await live_bench.signal()
    state = await live_bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")
    assert live_bench.world.calls["delete_node_pool"] == 1
    assert state.status.phase is Phase.READY


async def test_a_refused_edit_leaves_the_running_model_alone(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.fail_next(s.BUILD_PLAN, failure("InvalidSpec", "resource.count is 0"))
    await live_bench.edit()
    state = await live_bench.settled()
    assert (state.status.phase, state.status.reason) == (Phase.READY, "InvalidSpec")
    assert "generation 2 is not applied" in state.status.message
    assert live_bench.world.pools and live_bench.world.workloads


async def test_a_resync_repairs_a_lost_node_and_ignores_a_false_alarm(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda _: live_bench.world.calls["read_health"] == 1)
    assert live_bench.world.calls["ensure_node_pool"] == 1
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(
        lambda state: live_bench.world.calls["ensure_node_pool"] == 2 and state.status.settled == "ready"
    )


async def test_a_blocked_cleanup_keeps_the_finalizer_until_a_retry_succeeds(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.fail_next(s.DELETE_NODE_POOL, failure("CloudForbidden", "the role is gone"))
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    state = await live_bench.until(lambda state: state.status.reason == "CloudForbidden")
    assert "node_pool" in state.status.message
    assert live_bench.world.finalizer
    await handle.execute_update(WorkspaceWorkflow.retry)
    assert await handle.result() == []
    assert not live_bench.world.finalizer


async def test_a_forced_cleanup_returns_what_it_leaves_behind(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.fail_next(s.DELETE_NODE_POOL, failure("CloudForbidden", "the role is gone"))
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    await live_bench.until(lambda state: state.status.reason == "CloudForbidden")
    answer = await handle.execute_update(WorkspaceWorkflow.force_cleanup)
    assert answer.left == ["node_pool wsjje2z6fgxv"]
    assert await handle.result() == ["node_pool wsjje2z6fgxv"]
    assert not live_bench.world.finalizer


async def test_invalid_updates_are_refused_without_an_event(live_bench: Bench) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    for update in (WorkspaceWorkflow.retry, WorkspaceWorkflow.resume, WorkspaceWorkflow.force_cleanup):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(update)


async def test_a_failed_workspace_is_tried_again_on_request(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, failure("QuotaExceeded", "0 of 24 left"))
    handle = await live_bench.signal()
    await live_bench.settled("failed")
    await handle.execute_update(WorkspaceWorkflow.retry)
    assert (await live_bench.settled()).status.phase is Phase.READY


async def test_a_paused_workspace_starts_no_pass_and_can_be_deleted(live_bench: Bench) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    await handle.execute_update(WorkspaceWorkflow.pause)
    await live_bench.edit(digest="digest-2")
    assert (await live_bench.scheduled())["build_plan"] == 1
    assert (await live_bench.progress()).spec.observed == 1
    assert await live_bench.delete() == []


async def test_cancelling_the_workflow_is_a_delete(live_bench: Bench) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    await handle.cancel()
    assert await handle.result() == []
    assert not live_bench.world.pools and not live_bench.world.finalizer


async def test_a_failed_preflight_stops_before_buying(live_bench: Bench) -> None:
    refused = Check(name="VcpuQuota", outcome="failed", reason="QuotaExceeded", message="0 of 24 left")
    live_bench.world.checks = [refused]
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("QuotaExceeded", "0 of 24 left")
    assert live_bench.world.calls["ensure_node_pool"] == 0


async def test_the_status_of_a_successor_shows_what_it_waits_for(live_bench: Bench) -> None:
    world = live_bench.world
    await live_bench.signal()
    await live_bench.settled()
    world.fail_next(s.DELETE_NODE_POOL, failure("CloudForbidden", "may not delete pools"))
    world.uid, world.generation = "uid-2", 1  # somebody has removed the finalizer by hand and made a new one
    handle = await live_bench.signal()
    await live_bench.until(lambda state: state.status.reason == "CloudForbidden" and "uid-2" in world.statuses_by_uid)
    await live_bench.until(lambda _: world.statuses_by_uid["uid-2"]["reason"] == "CloudForbidden")
    status = world.statuses_by_uid["uid-2"]
    assert status["phase"] == "Pending" and status["observedGeneration"] == 0
    assert status["message"].startswith("waits until the resources of the deleted Workspace of this name are released")
    assert "may not delete pools" in status["message"] and not status["plan"]
    await handle.execute_update(WorkspaceWorkflow.retry)
    await live_bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")
