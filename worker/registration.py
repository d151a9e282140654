"""What the worker of one queue runs, and how it is run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from activities.contract import queues
from activities.contract.policies import HEARTBEAT_EVERY
from activities.errors.interceptor import Mapping
from worker.capacity import Capacity
from worker.plugin import plugin
from worker.versions import QueueVersion
from workflows.patches import PATCHES, Patch, begins

DRAIN: Final = timedelta(seconds=20)
CACHED_WORKFLOW_KIB: Final = 160
"""What one cached Workspace adds to a worker: half of it Python's objects, half the SDK's. Measured: 130 to 140 with a
plan of one machine (docs/decisions/017)."""


@dataclass(frozen=True)
class Registration:
    """`failures` maps the exceptions of the clients that the activities have."""

    queue: str
    activities: Sequence[Callable[..., Any]]
    failures: Mapping
    workflows: Sequence[type] = ()
    cache_mib: int = 0
    """Memory for workflows at rest, so that their next event needs no replay."""
    interceptors: Sequence[Interceptor] = ()


def worker_for(
    client: Client,
    registration: Registration,
    version: QueueVersion | None = None,
    capacity: Capacity = Capacity(),  # noqa: B008  # frozen
    patches: Sequence[Patch] = PATCHES,
) -> Worker:
    """Returns the worker of one queue, unversioned without `version`. Workflow code is imported once, without the
    sandbox: ARCHITECTURE.md says how its determinism is guarded."""
    return Worker(
        client,
        task_queue=registration.queue,
        workflows=registration.workflows,
        activities=registration.activities,
        interceptors=registration.interceptors,
        plugins=[plugin([registration.failures], sandboxed=False)],
        max_cached_workflows=cached_workflows(registration.cache_mib),
        tuner=capacity.tuner(registration.queue),
        workflow_task_poller_behavior=capacity.poller(),
        activity_task_poller_behavior=capacity.poller(),
        max_task_queue_activities_per_second=_starts_per_second(registration.queue),
        max_heartbeat_throttle_interval=HEARTBEAT_EVERY,
        default_heartbeat_throttle_interval=HEARTBEAT_EVERY,
        graceful_shutdown_timeout=DRAIN,
        deployment_config=version.config() if version and version.build else None,
        patch_activation_callback=lambda asked: begins(asked.patch_id, patches),
    )


def cached_workflows(cache_mib: int) -> int:
    """How many workflows fit."""
    return cache_mib * 1024 // CACHED_WORKFLOW_KIB


def _starts_per_second(queue: str) -> float | None:
    return queues.CLOUD_STARTS_PER_SECOND if queue == queues.CLOUD else None
