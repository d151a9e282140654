"""A query that waits for a worker while an activity ends, and then an update: a fault of the SDK's core, shown here.

A worker that answers such a query without having the workflow in its cache replays the activity's end with it, although
the workflow task that the end belongs to has not begun. The update then arrives in an activation of its own, and its
acceptance is recorded after what followed the activity; a replay gets both at once and expects the acceptance first.
Every later replay fails (TMPRL1100), until the workflow is reset to the task before. Signals are as exposed as updates.
Whether the query is answered first is the server's choice, so that the test passes now and then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.contract import queues
from activities.contract import signatures as s
from activities.status.writer import StatusWriter
from tests.fakes.world import World
from tests.workflows.conftest import Bench, activity_name, confirming, workers
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


@pytest.mark.xfail(
    raises=workflow.NondeterminismError, reason="the SDK's core replays events of a task not begun", strict=False
)
async def test_an_update_after_a_query_that_waited_does_not_break_the_history(live: WorkflowEnvironment) -> None:
    world = World()
    async with workers(live, world.activities(), cached_workflows=0, workflows=()):
        bench = Bench(env=live, client=live.client, world=world)
        gate = world.block(s.BUILD_PLAN)
        async with deciding(live, world):
            handle = await bench.signal()
            await world.entered["build_plan"].wait()
            await bench.progress()
        query = asyncio.create_task(handle.query(WorkspaceWorkflow.progress, rpc_timeout=timedelta(seconds=30)))
        await live.sleep(0.5)  # nothing tells that the query waits in the server
        gate.set()
        while (await handle.describe()).raw_description.pending_activities:
            await live.sleep(0.05)
        update = asyncio.create_task(handle.execute_update(WorkspaceWorkflow.set_deadline, Deadline(serving=100)))
        await live.sleep(0.5)  # nor this one
        async with deciding(live, world):
            await asyncio.gather(query, update)
            replayer = Replayer(workflows=[WorkspaceWorkflow], plugins=[plugin(sandboxed=False)])
            history = await handle.fetch_history()
            await bench.end()
            await replayer.replay_workflow(history)
