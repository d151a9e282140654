"""Workers as `python -m worker` has them, without the sandbox, over the activities of a world."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client

from activities.contract import queues, signatures
from activities.errors.interceptor import Mapping as Failures
from activities.status.writer import StatusWriter
from tests.fakes.world import World
from tests.workflows.conftest import WORKFLOWS, activity_name, confirming
from worker.capacity import Capacity
from worker.registration import Registration, worker_for
from worker.status_interceptor import StatusInterceptor, gone_reporter
from worker.versions import QueueVersion
from workflows.patches import PATCHES, Patch


@asynccontextmanager
async def production_workers(
    client: Client,
    world: World,
    failures: Failures = lambda error: None,
    workflows: Sequence[type] = WORKFLOWS,
    versions: Mapping[str, QueueVersion] | None = None,
    patches: Sequence[Patch] = PATCHES,
    capacity: Capacity | None = None,
) -> AsyncIterator[None]:
    """One for each queue; `versions` are theirs by queue."""
    bodies = {activity_name(one): one for one in world.activities()}
    async with AsyncExitStack() as stack:
        writer = StatusWriter(bodies.pop(signatures.PATCH_STATUS.name), gone_reporter(client))
        stack.push_async_callback(writer.drain)
        activities = [*bodies.values(), confirming(writer)]
        for queue in queues.ALL:
            code = workflows if queue == queues.WORKSPACES else ()
            registration = Registration(queue, activities, failures, code, 1, [StatusInterceptor(writer)])
            version = (versions or {}).get(queue)
            worker = worker_for(client, registration, version, capacity or Capacity(), patches)
            await stack.enter_async_context(worker)
        yield
