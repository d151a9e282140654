"""A worker that starts has statuses offered while activities end and messages come: the history stays replayable.

It did not while that was a query. A worker that answers one without having the workflow in its cache replays the end of
an activity with it, although the workflow task that the end belongs to has not begun; an update then comes in an
activation of its own, and is recorded after what followed the activity. A replay gets both at once and expects the
update first (TMPRL1100). The fault is in the SDK's core.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.contract import queues
from activities.contract import signatures as s
from activities.status.writer import StatusWriter
from testing.deadlines import PATIENCE_S
from tests.fakes.world import World
from tests.workflows.conftest import Bench, activity_name, confirming, workers
from worker.offer_again import offer_again
from worker.plugin import plugin
from worker.status_interceptor import StatusInterceptor, gone_reporter
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow


@asynccontextmanager
async def deciding(env: WorkflowEnvironment, world: World) -> AsyncIterator[None]:
    """A worker for workflow code, which caches workflows; without it words, queries and results wait."""
    bodies = {activity_name(one): one for one in world.activities()}
    writer = StatusWriter(bodies.pop(s.PATCH_STATUS.name), gone_reporter(env.client))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(writer.drain)
        worker = Worker(
            env.client,
            task_queue=queues.WORKSPACES,
            workflows=[WorkspaceWorkflow],
            activities=[*bodies.values(), confirming(writer)],
            no_remote_activities=True,
            interceptors=[StatusInterceptor(writer)],
        )
        await stack.enter_async_context(worker)
        yield


async def test_an_update_at_a_restart_does_not_break_the_history(live: WorkflowEnvironment) -> None:
    world = World()
    async with workers(live, world.activities(), cached_workflows=0, workflows=()):
        bench = Bench(env=live, client=live.client, world=world)
        gate = world.block(s.BUILD_PLAN)
        async with deciding(live, world):
            handle = await bench.signal()
            await world.entered["build_plan"].wait()
            await bench.progress()
        async with asyncio.timeout(PATIENCE_S):
            while not await offer_again(live.client):
                await asyncio.sleep(0.1)
            gate.set()
            while (await handle.describe()).raw_description.pending_activities:
                await asyncio.sleep(0.05)
        update = asyncio.create_task(handle.execute_update(WorkspaceWorkflow.set_deadline, Deadline(serving=100)))
        async with deciding(live, world):
            await update
            await bench.end()
    replayer = Replayer(workflows=[WorkspaceWorkflow], plugins=[plugin(sandboxed=False)])
    await replayer.replay_workflow(await handle.fetch_history())
