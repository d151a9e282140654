"""What comes while what served before is put back: edits, deletes, losses, other runs, workers that go away."""

import asyncio
import gc
import sys

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contract import signatures as s
from activities.contract.failures import failure
from api.resource.status import Phase
from tests.workflows.conftest import Bench, working
from tests.workflows.edits import CRASH, condition, failed_edit, next_run, ready
from workflows.workspace import WorkspaceWorkflow


async def being_put_back(bench: Bench) -> asyncio.Event:
    """An edit has failed; what served before it is not put back until the event is set."""
    await ready(bench)
    restoring = bench.world.hold_restore()
    bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
    await bench.edit(digest="digest-2")
    await bench.until(lambda state: state.status.step == "Restore")
    return restoring


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
    restoring = await being_put_back(live_bench)
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
    restoring = await being_put_back(live_bench)
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    restoring.set()
    assert await handle.result() == []
    assert not live_bench.world.pools and not live_bench.world.workloads and not live_bench.world.exists


async def test_nodes_lost_during_the_putting_back_are_replaced(live_bench: Bench) -> None:
    restoring = await being_put_back(live_bench)
    gate = live_bench.world.block(s.WAIT_FOR_SERVING)
    restoring.set()
    await live_bench.until(lambda _: live_bench.world.calls["wait_for_serving"] == 3)
    live_bench.world.lose_a_node()
    await live_bench.until(lambda _: live_bench.world.calls["wait_for_serving"] == 4)
    gate.set()
    state = await live_bench.settled()
    assert live_bench.world.repairs == 1
    assert live_bench.world.applied == "digest-1" and "generation 1 serves" in state.status.message


@pytest.mark.parametrize("bench", [0], ids=["replayed at every step"], indirect=True)
async def test_it_is_all_in_the_workflows_state(bench: Bench) -> None:
    await ready(bench)
    state = await failed_edit(bench)
    assert state.status.message.endswith("; generation 1 serves") and bench.world.restored == ["digest-1"]
    assert await bench.delete() == []
    assert not bench.world.pools and not bench.world.workloads


async def test_what_serves_instead_is_repaired_in_the_next_run_too(live_bench: Bench) -> None:
    """History is bounded: the run that has seen the edit fail is not the one that sees the node go."""
    live_bench.history_limit = 20
    handle = await live_bench.signal()
    first = handle.result_run_id
    live_bench.handle = live_bench.client.get_workflow_handle_for(WorkspaceWorkflow.run, handle.id)
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
        restoring = await being_put_back(bench)
        restoring.set()
    gc.collect()
    assert complaints == []
