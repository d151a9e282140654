"""A start that gets lost: the server has noted it, no worker has it. The server must find that out soon."""

import asyncio
from uuid import uuid4

from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest, PollActivityTaskQueueResponse
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.contract import queues
from activities.contract import signatures as s
from testing.deadlines import PATIENCE_S
from tests.fakes.world import World
from tests.workflows.conftest import Bench, workers
from workflows.workspace import WorkspaceWorkflow

OTHERS = [queue for queue in queues.ALL if queue != queues.CLOUD]


async def take(env: WorkflowEnvironment, queue: str) -> PollActivityTaskQueueResponse:
    """Takes one activity from the queue, as a worker would, and never answers."""
    request = PollActivityTaskQueueRequest(
        namespace=env.client.namespace, identity="loses what it takes", task_queue=TaskQueue(name=queue)
    )
    async with asyncio.timeout(PATIENCE_S):
        while not (taken := await env.client.workflow_service.poll_activity_task_queue(request)).task_token:
            pass
    return taken


async def test_what_only_asks_is_begun_again_long_before_its_time_is_over(live: WorkflowEnvironment) -> None:
    world = World()
    bench = Bench(live, live.client, world, name=f"lost-{uuid4().hex[:8]}")
    async with workers(live, world.activities(), 100, on=OTHERS):
        handle = await bench.signal()
        taken = await take(live, queues.CLOUD)
        assert taken.activity_type.name == s.READ_PREFLIGHT.name
        async with workers(live, world.activities(), 100, on=[queues.CLOUD]):
            await bench.settled()
            started = [
                event.activity_task_started_event_attributes
                for event in (await handle.fetch_history()).events
                if event.HasField("activity_task_started_event_attributes")
            ]
            await bench.end()
    [failure] = [one.last_failure for one in started if one.attempt == 2]
    assert failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_HEARTBEAT
    assert world.calls[s.READ_PREFLIGHT.name] == 1


async def test_what_asks_for_long_is_not_taken_for_lost(live_bench: Bench) -> None:
    gate = live_bench.world.block(s.READ_PREFLIGHT)
    handle = await live_bench.signal()
    await live_bench.world.entered[s.READ_PREFLIGHT.name].wait()
    async with asyncio.timeout(PATIENCE_S):
        while not await beaten(handle):
            await asyncio.sleep(0.2)
    gate.set()
    await live_bench.settled()
    assert live_bench.world.calls[s.READ_PREFLIGHT.name] == 1


async def beaten(handle: WorkflowHandle[WorkspaceWorkflow, list[str]]) -> bool:
    """Whether the server has heard of the activity since its start."""
    pending = (await handle.describe()).raw_description.pending_activities
    return any(one.activity_type.name == s.READ_PREFLIGHT.name and one.last_heartbeat_time.seconds for one in pending)
