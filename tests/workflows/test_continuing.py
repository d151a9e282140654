"""A life that is longer than one history: continue-as-new keeps all that the workflow knows."""

from tests.workflows.conftest import Bench, progress_of
from tests.workflows.edits import next_run
from workflows.workspace import WorkspaceWorkflow


async def test_nothing_is_lost_over_continue_as_new(live_bench: Bench) -> None:
    bench = live_bench
    bench.history_limit = 20
    first_run = (await bench.signal()).result_run_id
    assert bench.handle is not None and first_run is not None
    bench.handle = bench.client.get_workflow_handle_for(WorkspaceWorkflow.run, bench.handle.id)
    await bench.settled()
    await next_run(bench, first_run)
    # Not what was seen while the first run went on: it may have gone on from there.
    before = await progress_of(bench.client.get_workflow_handle(bench.handle.id, run_id=first_run))
    after = await bench.progress()
    but_written = {"status": {"conditions", "revision"}}  # the next run writes the status
    assert after.model_dump(exclude=but_written) == before.model_dump(exclude=but_written)
    await bench.signal(resync=True)
    await bench.until(lambda _: bench.world.calls["read_health"] == 1)
    assert bench.world.calls["ensure_node_pool"] == 1
    assert await bench.delete() == []
    assert not bench.world.pools
    assert bench.world.removals == [bench.world.made], "the uids of the workload's objects are kept"
