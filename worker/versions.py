"""Which workers a queue's tasks go to while two versions run: Temporal's worker deployments, one for each queue.

Workers that start make their version the current one, in an upgrade and in a rollback alike; and those that run take
over from a version whose workers are gone. Why so: docs/decisions/019. What a workflow does when other workers have
taken it over is `workflows/run_length.py`'s.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from process.beside import beside
from process.exit import CannotStart

log = logging.getLogger(__name__)

RPC_TIMEOUT: Final = timedelta(seconds=10)
TAKE_OVER_S: Final = 60.0
"""The server hears of a version with its workers' first poll."""
ASK_AGAIN_S: Final = 0.2
LOOK_S: Final = 15.0
"""Between two looks at whether the current version still has workers."""
SILENT_S: Final = 75.0
"""So long after the last poll of others, workers are gone: one that finds nothing ends after 60 s, and is repeated."""
REFUSALS: Final = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
"""Of a server that has no worker deployments, or not for this namespace or client."""
NOBODYS: Final = "nobodys"
"""A queue that has no workers: whether its version may be set is asked, and changes nothing."""


@dataclass(frozen=True)
class QueueVersion:
    """The version of the workers of one queue. `build`: "" is that of unversioned workers."""

    queue: str
    build: str

    @property
    def deployment(self) -> str:
        """The name of the worker deployment. One for each queue: no process has to wait for another's workers."""
        return f"modelyard-{self.queue}"

    def config(self) -> WorkerDeploymentConfig:
        """Returns what a worker polls with. Workflows move to the current version with their next task."""
        version = WorkerDeploymentVersion(self.deployment, self.build)
        return WorkerDeploymentConfig(version, True, VersioningBehavior.AUTO_UPGRADE)


@dataclass(frozen=True)
class Poll:
    """The last poll of a worker of version `build`, at `at` in seconds of the server's clock."""

    build: str
    at: float


class NotCurrent(CannotStart):
    """Temporal does not make our version the current one. The message names the fix."""


async def versions_of(client: Client, queues: Iterable[str], build: str) -> Sequence[QueueVersion]:
    """Returns the version of each queue; none, which is logged once, where Temporal has no versions or this client may
    not set them. Without `build`, workers are unversioned, and may have to take over from others. Raises RPCError."""
    refusal = await _refusal(client)
    if refusal and build:
        log.warning(
            "workers go on without versions (%s): they need worker deployments (Temporal 1.28 or later) and the right "
            "to write in namespace %s; or set MODELYARD_WORKER_VERSIONING=false",
            refusal,
            client.namespace,
        )
    return [] if refusal else [QueueVersion(queue, build) for queue in queues]


async def _refusal(client: Client) -> str:
    """Asked with the call that counts; NOT_FOUND is the answer of a server that would do it."""
    try:
        await _set_current(client, QueueVersion(NOBODYS, "none"))
    except RPCError as error:
        if error.status in REFUSALS:
            return error.message
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return ""


async def take_over(client: Client, versions: Sequence[QueueVersion], within_s: float = TAKE_OVER_S) -> None:
    """Makes these versions the current ones; their workers poll already. Raises NotCurrent."""
    await asyncio.gather(*(_take_over(client, version, within_s) for version in versions))


async def _take_over(client: Client, version: QueueVersion, within_s: float) -> None:
    refusal = "no answer in time"
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    if await _current(client, version) == version.build:
                        return
                    await _set_current(client, version)
                except RPCError as error:
                    refusal = error.message
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                log.info("version %s has queue %s now", version.build or "none", version.queue)
                return
    except TimeoutError:
        raise NotCurrent(
            f"version {version.build or 'none'} does not get queue {version.queue}: {refusal}. See `temporal worker "
            f"deployment describe --name {version.deployment}`, or set MODELYARD_WORKER_VERSIONING=false"
        ) from None


@contextlib.asynccontextmanager
async def kept(
    client: Client, versions: Sequence[QueueVersion], look_s: float = LOOK_S, silent_s: float = SILENT_S
) -> AsyncIterator[None]:
    """While the block runs, takes a queue over whose current version has no workers any more."""
    keeping = _keep(client, versions, look_s, silent_s)
    async with beside(keeping, without_it="versions without workers are no longer noticed"):
        yield


async def _keep(client: Client, versions: Sequence[QueueVersion], look_s: float, silent_s: float) -> None:
    while True:
        await asyncio.sleep(look_s)
        for version in versions:
            try:
                current = await _current(client, version)
                if current == version.build or not is_deserted(current, await _polls(client, version), silent_s):
                    continue
                await _set_current(client, version)
            except RPCError as error:
                log.warning("queue %s: whether its version has workers is not known: %s", version.queue, error)
            else:
                log.warning("version %s of queue %s has no workers", current or "none", version.queue)
                log.warning("version %s has queue %s now", version.build or "none", version.queue)


def is_deserted(build: str, polls: Sequence[Poll], silent_s: float = SILENT_S) -> bool:
    """Whether no worker of this version polls any more. Measured from the newest poll of all, those of the worker that
    asks among them, so that only the server's clock counts."""
    newest = max((poll.at for poll in polls), default=0.0)
    return all(poll.at < newest - silent_s for poll in polls if poll.build == build)


async def _current(client: Client, version: QueueVersion) -> str:
    """Returns the build that the queue's tasks go to; "" is that of unversioned workers. Raises RPCError."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=version.deployment)
    try:
        found = await client.workflow_service.describe_worker_deployment(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # no versioned worker has ever polled
            return ""
        raise
    return found.worker_deployment_info.routing_config.current_deployment_version.build_id


async def _set_current(client: Client, version: QueueVersion) -> None:
    """Refused by the server until workers of the version have polled. Raises RPCError."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=version.deployment,
        build_id=version.build,
        identity=client.service_client.config.identity,
        # Workers of `waits` once had workflows, say: what they no longer poll must not hold up those that poll.
        ignore_missing_task_queues=True,
    )
    await client.workflow_service.set_worker_deployment_current_version(request, timeout=RPC_TIMEOUT)


async def _polls(client: Client, version: QueueVersion) -> list[Poll]:
    found = []
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=version.queue), task_queue_type=kind
        )
        answer = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
        found += [
            Poll(one.deployment_options.build_id, one.last_access_time.ToNanoseconds() / 1e9) for one in answer.pollers
        ]
    return found
