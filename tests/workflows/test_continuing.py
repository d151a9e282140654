"""A life that is longer than one history: continue-as-new keeps all that the workflow knows."""

import asyncio

from activities.contract import queues
from activities.contract.payloads import WorkspaceKey
from testing.deadlines import PATIENCE_S
from tests.workflows.conftest import Bench, progress_of
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.workspace import WorkspaceWorkflow


async def test_nothing_is_lost_over_continue_as_new(live_bench: Bench) -> None:
    bench = live_bench
    seed = WorkspaceInput(key=WorkspaceKey(namespace="default", name=bench.name, uid="uid-1"), history_limit=20)
    bench.handle = await bench.client.start_workflow(
        WorkspaceWorkflow.run,
        seed,
        id=f"workspace/default/{bench.name}",
        task_queue=queues.WORKSPACES,
        start_signal=SIGNAL_CHANGED,
        start_signal_args=[Changed(uid="uid-1", generation=1)],
    )
    first_run = bench.handle.result_run_id
    bench.handle = bench.client.get_workflow_handle_for(WorkspaceWorkflow.run, bench.handle.id)
    await bench.settled()
    async with asyncio.timeout(PATIENCE_S):
        while (await bench.handle.describe()).run_id == first_run:
            await bench.env.sleep(0.1)
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
