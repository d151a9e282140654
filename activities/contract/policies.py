"""Timeouts, retries, cancellation and place in the queue of each activity, in one table.

Everything that may take longer than ten seconds heartbeats, so that a start which is lost between server and worker
costs seconds: a body that waits does so itself, for the others the worker does. The cancellation of activities with
side effects is awaited, so that the next pass never runs beside them. Deadlines of a pass come from its plan; the table
holds the defaults. What Temporal is told is AWAY_MAX longer: `activities/deadline.py` ends an activity in time.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig, LocalActivityConfig

from activities.contract import signatures as s
from activities.contract.plan import Deadlines
from activities.contract.queues import Order

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=20)
"""A lost worker is detected after this long; activities heartbeat every HEARTBEAT_EVERY, in a crowd every 8 s."""
ASKING_HEARTBEAT_TIMEOUT: Final = timedelta(seconds=10)
"""Shorter, because what only asks can be asked again: a worker that is merely late costs a request, not a wait."""
HEARTBEAT_EVERY: Final = timedelta(seconds=4)
"""Also how long a cancellation takes to reach an activity, unless a crowd waits in the same process; workers send every
heartbeat (no throttling below this)."""

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

AWAY_MAX: Final = timedelta(days=366)
"""For how long a cluster may be away: AKS keeps a stopped one for twelve months."""

OFFER_DEADLINE: Final = timedelta(hours=24)
"""How long somebody may take to install a device plugin; nothing is bought meanwhile."""

OWN_DEADLINE_S: Final = 60
"""Extra seconds for an activity that ends at its plan's deadline by itself, with a reason."""


def _quick(order: Order, start_to_close_s: int, schedule_to_close_s: int) -> ActivityConfig:
    """One or two requests to the API server: milliseconds, in a crowd a second or two. A start that is lost costs the
    start-to-close."""
    return ActivityConfig(
        start_to_close_timeout=timedelta(seconds=start_to_close_s),
        schedule_to_close_timeout=timedelta(seconds=schedule_to_close_s),
        retry_policy=_QUICK,
        priority=Priority(priority_key=order),
    )


def _asking(order: Order, start_to_close_s: int, schedule_to_close_s: int) -> ActivityConfig:
    """Several requests, each with its own limit, that may have to wait for somebody else's server. Its worker beats for
    it: a start that is lost costs ASKING_HEARTBEAT_TIMEOUT, the start-to-close ends what hangs although it beats."""
    config = _quick(order, start_to_close_s, schedule_to_close_s)
    config["heartbeat_timeout"] = ASKING_HEARTBEAT_TIMEOUT
    return config


def _wait(order: Order, schedule_to_close: timedelta, retry: RetryPolicy) -> ActivityConfig:
    return ActivityConfig(
        start_to_close_timeout=schedule_to_close,
        schedule_to_close_timeout=schedule_to_close,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=retry,
        priority=Priority(priority_key=order),
    )


_DEFAULTS = Deadlines()
_PROVISION: Final = timedelta(seconds=_DEFAULTS.provision)
_CLAIMS: Final = timedelta(seconds=_DEFAULTS.provision + OWN_DEADLINE_S)
_RELEASE, _UNDER_WAY, _PURCHASE, _BEGINNING, _SWEEP = Order
_TABLE: Final[dict[str, ActivityConfig]] = {
    # The Workspace, a ConfigMap, a Secret, own nodes: 15 s at most each. Facts of a model: 50 s at most.
    s.BUILD_PLAN.name: _asking(_BEGINNING, 90, 10 * 60),
    s.READ_WANTED.name: _asking(_PURCHASE, 90, 10 * 60),
    s.READ_WORKSPACE.name: _quick(_PURCHASE, 5, 10 * 60),
    s.READ_HEALTH.name: _asking(_PURCHASE, 20, 10 * 60),
    # Three lists and a pool of ARM beside each other, often shared with others; asked again before a check fails.
    s.READ_PREFLIGHT.name: _asking(_BEGINNING, 60, 10 * 60),
    s.READ_CLUSTER_PREFLIGHT.name: _asking(_BEGINNING, 60, 10 * 60),
    # Registries, 8 s each request, a few per image.
    s.READ_WORKLOAD_PREFLIGHT.name: _asking(_BEGINNING, 60, 10 * 60),
    s.WAIT_FOR_GPUS_OFFERED.name: _wait(_BEGINNING, OFFER_DEADLINE + timedelta(seconds=OWN_DEADLINE_S), _QUICK),
    s.READ_MODEL_REVISION.name: _asking(_BEGINNING, 60, _DEFAULTS.model),  # a Secret, and the hub: 50 s at most
    s.READ_COMPLETIONS.name: _wait(_UNDER_WAY, timedelta(seconds=_DEFAULTS.verify), _QUICK),
    s.ENSURE_FINALIZER.name: _quick(_BEGINNING, 10, 10 * 60),
    s.ENSURE_NODE_POOL.name: _wait(_PURCHASE, _PROVISION, _CLOUD),
    s.ENSURE_NODE_CLAIMS.name: _wait(_PURCHASE, _CLAIMS, _CLEANUP),
    s.ENSURE_NODE_RESERVATIONS.name: _wait(_PURCHASE, _CLAIMS, _CLEANUP),
    s.ENSURE_WORKLOAD.name: _asking(_UNDER_WAY, 90, 15 * 60),  # up to five applies
    s.WAIT_FOR_NODES.name: _wait(_UNDER_WAY, timedelta(seconds=_DEFAULTS.nodes), _QUICK),
    s.WAIT_FOR_OWN_NODES.name: _wait(_BEGINNING, _CLAIMS, _QUICK),
    s.WAIT_FOR_SERVING.name: _wait(_UNDER_WAY, timedelta(seconds=_DEFAULTS.serving), _QUICK),
    s.ENSURE_TUNING_JOB.name: _wait(_UNDER_WAY, timedelta(minutes=15), _QUICK),
    s.WAIT_FOR_TUNING_JOB.name: _wait(_UNDER_WAY, timedelta(seconds=_DEFAULTS.training), _QUICK),
    s.DELETE_TUNING.name: _wait(_RELEASE, CLEANUP_DEADLINE, _CLEANUP),
    s.READ_ADAPTER.name: _asking(_UNDER_WAY, 30, 10 * 60),  # a Secret, and a registry: 8 s each request
    s.PATCH_STATUS.name: _quick(_UNDER_WAY, 10, 24 * 3600),
    s.DELETE_WORKLOAD.name: _wait(_RELEASE, CLEANUP_DEADLINE, _CLEANUP),
    s.DELETE_NODE_POOL.name: _wait(_RELEASE, CLEANUP_DEADLINE, _CLEANUP),
    s.DELETE_NODE_CLAIMS.name: _wait(_RELEASE, CLEANUP_DEADLINE, _CLEANUP),
    s.DELETE_NODE_RESERVATIONS.name: _wait(_RELEASE, CLEANUP_DEADLINE, _CLEANUP),
    s.WAIT_FOR_NO_NODES.name: _wait(_RELEASE, timedelta(minutes=15), _CLEANUP),
    s.DELETE_FINALIZER.name: _quick(_RELEASE, 10, 7 * 24 * 3600),
    s.READ_PROVIDERS.name: _asking(_RELEASE, 30, 7 * 24 * 3600),
    # Lists of everything, in pages.
    s.READ_OWNED_NODES.name: _asking(_SWEEP, 60, 10 * 60),
    s.READ_OWNED_POOLS.name: _asking(_SWEEP, 60, 10 * 60),
    s.READ_POPULATION.name: _asking(_SWEEP, 60, 10 * 60),
    s.READ_RUNS.name: _asking(_SWEEP, 60, 10 * 60),
}


LOCAL_LIMIT: Final = timedelta(seconds=4)
"""How long a workflow task may be held up by a local activity; well below the 10 seconds of a workflow task."""


def local_config_of(signature: s.Signature[Any, Any]) -> LocalActivityConfig:
    """The options of the activity where it is run locally: one attempt. A refusal or a timeout is left to `config_of`'s
    attempts."""
    return LocalActivityConfig(
        schedule_to_close_timeout=LOCAL_LIMIT,
        retry_policy=RetryPolicy(maximum_attempts=1),
        cancellation_type=_cancellation_of(signature),
    )


def _cancellation_of(signature: s.Signature[Any, Any]) -> ActivityCancellationType:
    if signature.effects:
        return ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    return ActivityCancellationType.TRY_CANCEL


def config_of(
    signature: s.Signature[Any, Any], deadline_s: int | None = None, *, begun: bool = False
) -> ActivityConfig:
    """The activity's options: `deadline_s` (seconds, from the plan) replaces the table's deadline. `begun`: it
    is for a Workspace that holds something, whose edit is no beginning."""
    config = _TABLE[signature.name].copy()
    if begun and config["priority"].priority_key == Order.BEGINNING:
        config["priority"] = Priority(priority_key=Order.UNDER_WAY)
    config["task_queue"] = signature.queue
    config["cancellation_type"] = _cancellation_of(signature)
    own = config["schedule_to_close_timeout"] if deadline_s is None else timedelta(seconds=deadline_s)
    assert own is not None, "every activity has a deadline"
    config["schedule_to_close_timeout"] = own + AWAY_MAX
    # An attempt of a wait may see the cluster go and come back.
    attempt = config["start_to_close_timeout"]
    config["start_to_close_timeout"] = own + AWAY_MAX if signature.waits else min(attempt or own, own)
    return config
