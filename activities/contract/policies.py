"""Timeouts, retries and cancellation of each activity, in one table.

Everything that takes longer than ten seconds heartbeats. The cancellation of activities with side effects is awaited,
so that the next pass never runs beside them. Deadlines of a pass come from its plan; the table holds the defaults.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig, LocalActivityConfig

from activities.contract import signatures as s
from activities.contract.plan import Deadlines

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=20)
"""A lost worker is detected after this long; activities heartbeat every HEARTBEAT_EVERY."""
HEARTBEAT_EVERY: Final = timedelta(seconds=4)
"""Also how long a cancellation takes to reach an activity; workers send every heartbeat (no throttling below this)."""

_QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30), backoff_coefficient=2.0
)
_CLOUD = RetryPolicy(
    initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=5), backoff_coefficient=2.0
)
_CLEANUP = RetryPolicy(
    initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=5), backoff_coefficient=2.0
)

BOUNDED_ATTEMPTS: Final = {"AllocationFailed": 4, "PoolFailed": 3}
"""Attempts of a `retry` failure before the pass fails, for reasons that the deadline alone would retry too often."""

CLEANUP_DEADLINE: Final = timedelta(days=7)
"""A clean-up that has not finished after this long is reported as CleanupBlocked; the finalizer stays."""

OWN_DEADLINE_S: Final = 60
"""Extra seconds for an activity that ends at its plan's deadline by itself, with a reason."""


def _quick(start_to_close_s: int, schedule_to_close_s: int) -> ActivityConfig:
    return ActivityConfig(
        start_to_close_timeout=timedelta(seconds=start_to_close_s),
        schedule_to_close_timeout=timedelta(seconds=schedule_to_close_s),
        retry_policy=_QUICK,
    )


def _wait(schedule_to_close: timedelta, retry: RetryPolicy) -> ActivityConfig:
    return ActivityConfig(
        start_to_close_timeout=schedule_to_close,
        schedule_to_close_timeout=schedule_to_close,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=retry,
    )


_DEFAULTS = Deadlines()
_TABLE: Final[dict[str, ActivityConfig]] = {
    s.BUILD_PLAN.name: _quick(90, 10 * 60),
    s.READ_WANTED.name: _quick(90, 10 * 60),
    s.READ_WORKSPACE.name: _quick(10, 10 * 60),
    s.READ_HEALTH.name: _quick(20, 10 * 60),
    s.READ_PREFLIGHT.name: _quick(60, 10 * 60),
    s.READ_CLUSTER_PREFLIGHT.name: _quick(60, 10 * 60),
    s.READ_WORKLOAD_PREFLIGHT.name: _quick(60, 10 * 60),
    s.READ_MODEL_REVISION.name: _quick(60, _DEFAULTS.model),
    s.READ_COMPLETIONS.name: _wait(timedelta(seconds=_DEFAULTS.verify), _QUICK),
    s.ENSURE_FINALIZER.name: _quick(10, 10 * 60),
    s.ENSURE_NODE_POOL.name: _wait(timedelta(seconds=_DEFAULTS.provision), _CLOUD),
    s.ENSURE_NODE_CLAIMS.name: _wait(timedelta(seconds=_DEFAULTS.provision + OWN_DEADLINE_S), _CLEANUP),
    s.ENSURE_NODE_RESERVATIONS.name: _wait(timedelta(seconds=_DEFAULTS.provision + OWN_DEADLINE_S), _CLEANUP),
    s.ENSURE_WORKLOAD.name: _quick(30, 15 * 60),
    s.WAIT_FOR_NODES.name: _wait(timedelta(seconds=_DEFAULTS.nodes), _QUICK),
    s.WAIT_FOR_SERVING.name: _wait(timedelta(seconds=_DEFAULTS.serving), _QUICK),
    s.ENSURE_TUNING_JOB.name: _wait(timedelta(minutes=15), _QUICK),
    s.WAIT_FOR_TUNING_JOB.name: _wait(timedelta(seconds=_DEFAULTS.training), _QUICK),
    s.DELETE_TUNING.name: _wait(CLEANUP_DEADLINE, _CLEANUP),
    s.READ_ADAPTER.name: _quick(10, 10 * 60),
    s.PATCH_STATUS.name: _quick(10, 24 * 3600),
    s.DELETE_WORKLOAD.name: _wait(CLEANUP_DEADLINE, _CLEANUP),
    s.DELETE_NODE_POOL.name: _wait(CLEANUP_DEADLINE, _CLEANUP),
    s.DELETE_NODE_CLAIMS.name: _wait(CLEANUP_DEADLINE, _CLEANUP),
    s.DELETE_NODE_RESERVATIONS.name: _wait(CLEANUP_DEADLINE, _CLEANUP),
    s.WAIT_FOR_NO_NODES.name: _wait(timedelta(minutes=15), _CLEANUP),
    s.DELETE_FINALIZER.name: _quick(10, 7 * 24 * 3600),
    s.READ_PROVIDERS.name: _quick(30, 7 * 24 * 3600),
    s.READ_OWNED_NODES.name: _quick(60, 10 * 60),
    s.READ_OWNED_POOLS.name: _quick(60, 10 * 60),
    s.READ_POPULATION.name: _quick(60, 10 * 60),
    s.READ_RUNS.name: _quick(60, 10 * 60),
}


LOCAL_LIMIT: Final = timedelta(seconds=4)
"""How long a workflow task may be held up by a local activity; well below the 10 seconds of a workflow task."""


def local_config_of(signature: s.Signature[Any, Any]) -> LocalActivityConfig:
    """The options of the activity where it is run locally: one attempt. A refusal or a timeout is left to `config_of`'s
    attempts."""
    return LocalActivityConfig(
        schedule_to_close_timeout=LOCAL_LIMIT,
        retry_policy=RetryPolicy(maximum_attempts=1),
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        if signature.effects
        else ActivityCancellationType.TRY_CANCEL,
    )


def config_of(signature: s.Signature[Any, Any], deadline_s: int | None = None) -> ActivityConfig:
    """The activity's options: `deadline_s` (seconds, from the plan) replaces the table's schedule-to-close."""
    config = _TABLE[signature.name].copy()
    config["task_queue"] = signature.queue
    config["cancellation_type"] = (
        ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        if signature.effects
        else ActivityCancellationType.TRY_CANCEL
    )
    if deadline_s is not None:
        config["schedule_to_close_timeout"] = timedelta(seconds=deadline_s)
        config["start_to_close_timeout"] = min(
            config["start_to_close_timeout"] or timedelta.max, timedelta(seconds=deadline_s)
        )
    return config
