"""While a Workspace is paused nothing new begins for it, users see what waits, and a delete goes through."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.contract import signatures as s
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from workflows.resync import RESYNC
from workflows.workspace import WorkspaceWorkflow


async def annotate(bench: Bench, *, paused: bool) -> None:
    """The annotation comes or goes, and the watcher tells of it."""
    bench.world.paused = paused
    await bench.signal(paused=paused)


async def test_a_workspace_created_paused_buys_nothing_until_the_annotation_is_removed(live_bench: Bench) -> None:
    await annotate(live_bench, paused=True)
    state = await live_bench.until(lambda state: state.status.reason == "Paused")
    assert state.status.phase is Phase.PAUSED
    assert state.status.message == "generation 1 is paused; to continue, remove the annotation modelyard.dev/paused"
    await live_bench.until(lambda _: (live_bench.world.statuses or [{}])[-1].get("phase") == "Paused")
    assert live_bench.world.calls["build_plan"] == 0
    await annotate(live_bench, paused=False)
    assert (await live_bench.settled()).status.phase is Phase.READY


async def test_an_edit_of_what_serves_waits_and_the_serving_goes_on(live_bench: Bench) -> None:
    await live_bench.signal(paused=False)
    await live_bench.settled()
    await annotate(live_bench, paused=True)
    live_bench.world.digest = "digest-2"
    live_bench.world.generation = 2
    await live_bench.signal(paused=True)
    state = await live_bench.until(lambda state: state.status.reason == "Paused")
    assert state.status.phase is Phase.READY and "generation 2 is paused" in state.status.message
    assert live_bench.world.applied == "digest-1"
    await annotate(live_bench, paused=False)
    await live_bench.settled()
    assert live_bench.world.applied == "digest-2"


async def test_a_pause_by_the_update_is_reported_and_resumed(live_bench: Bench) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    await handle.execute_update(WorkspaceWorkflow.pause)
    await live_bench.edit(digest="digest-2")
    state = await live_bench.until(lambda state: state.status.reason == "Paused")
    assert state.status.message.endswith("to continue, resume it (POST /workspaces/NS/NAME/resume)")
    await handle.execute_update(WorkspaceWorkflow.resume)
    assert (await live_bench.settled()).spec.observed == 2


async def test_a_pause_by_annotation_is_not_ended_by_the_update(live_bench: Bench) -> None:
    await annotate(live_bench, paused=True)
    await live_bench.until(lambda state: state.status.reason == "Paused")
    assert live_bench.handle is not None
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await live_bench.handle.execute_update(WorkspaceWorkflow.resume)
    assert "annotation modelyard.dev/paused must be removed" in str(refused.value.cause)


async def test_a_delete_goes_through_a_pause(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await annotate(live_bench, paused=True)
    assert await live_bench.delete() == []
    assert not live_bench.world.pools


async def test_a_pass_under_way_continues(live_bench: Bench) -> None:
    gate = live_bench.world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await live_bench.world.entered["wait_for_serving"].wait()
    await annotate(live_bench, paused=True)
    gate.set()
    assert (await live_bench.settled()).status.phase is Phase.READY


async def test_the_end_of_a_pause_without_a_message_is_noticed(bench: Bench) -> None:
    await annotate(bench, paused=True)
    await bench.until(lambda state: state.status.reason == "Paused")
    bench.world.paused = False
    await bench.env.sleep(RESYNC + timedelta(minutes=1))
    assert (await bench.settled()).spec.observed == 1
