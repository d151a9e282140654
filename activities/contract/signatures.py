"""Every activity's name, queue and types: what workflows call.

The implementations live in the sibling packages and are registered under the same names; tests register fakes. A test
compares this table with both, so that a signature without an implementation, or with other types, cannot be released.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from temporalio import activity

from activities.contract import payloads as c
from activities.contract import plan as p
from activities.contract import queues
from activities.contract import tuning as t

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Owner = TypeVar("Owner")
Body = Callable[[Owner, Argument], Coroutine[Any, Any, Result]]
"""A method that implements an activity."""


@dataclass(frozen=True)
class Signature(Generic[Argument, Result]):
    """One activity. `waits`: it can last over ten seconds and heartbeats; `effects`: it has side effects outside the
    worker."""

    name: str
    queue: str
    argument: type[Argument]
    result: type[Result]
    waits: bool = False
    effects: bool = False


BUILD_PLAN = Signature("build_plan", queues.WORKSPACES, c.PlanRequest, p.Planned)
READ_WANTED = Signature("read_wanted", queues.WORKSPACES, p.WantedRequest, p.Wanted)
READ_WORKSPACE = Signature("read_workspace", queues.WORKSPACES, c.WorkspaceKey, c.Observed)
READ_HEALTH = Signature("read_health", queues.WORKSPACES, c.HealthRequest, c.Health)
READ_PREFLIGHT = Signature("read_preflight", queues.CLOUD, c.Plan, c.Preflight)
READ_CLUSTER_PREFLIGHT = Signature("read_cluster_preflight", queues.WORKSPACES, c.Plan, c.Preflight)
READ_WORKLOAD_PREFLIGHT = Signature("read_workload_preflight", queues.WORKSPACES, c.Plan, c.Preflight)
READ_MODEL_REVISION = Signature("read_model_revision", queues.WORKSPACES, c.ModelRequest, c.PinnedModel)
READ_COMPLETIONS = Signature("read_completions", queues.WAITS, c.VerifyRequest, c.Completions, waits=True)
ENSURE_FINALIZER = Signature("ensure_finalizer", queues.WORKSPACES, c.WorkspaceKey, c.Observed, effects=True)
ENSURE_NODE_POOL = Signature("ensure_node_pool", queues.CLOUD, c.Plan, c.PoolBought, waits=True, effects=True)
ENSURE_NODE_CLAIMS = Signature("ensure_node_claims", queues.WAITS, c.Plan, c.PoolBought, waits=True, effects=True)
ENSURE_NODE_RESERVATIONS = Signature(
    "ensure_node_reservations", queues.WAITS, c.Plan, c.PoolBought, waits=True, effects=True
)
ENSURE_WORKLOAD = Signature("ensure_workload", queues.WORKSPACES, c.WorkloadRequest, c.WorkloadApplied, effects=True)
WAIT_FOR_NODES = Signature("wait_for_nodes", queues.WAITS, c.Plan, c.NodesReady, waits=True)
WAIT_FOR_NODE_LOSS = Signature("wait_for_node_loss", queues.WAITS, c.NodesHeld, c.NodesLost, waits=True)
WAIT_FOR_SERVING = Signature("wait_for_serving", queues.WAITS, c.ServingRequest, c.ServingReady, waits=True)
ENSURE_TUNING_JOB = Signature("ensure_tuning_job", queues.WAITS, t.JobRequest, t.JobApplied, waits=True, effects=True)
WAIT_FOR_TUNING_JOB = Signature("wait_for_tuning_job", queues.WAITS, t.JobWait, t.JobDone, waits=True)
DELETE_TUNING = Signature("delete_tuning", queues.WAITS, t.TuningKey, c.Observed, waits=True, effects=True)
READ_ADAPTER = Signature("read_adapter", queues.WORKSPACES, t.AdapterRequest, t.PublishedAdapter)
PATCH_STATUS = Signature("patch_status", queues.WORKSPACES, c.StatusPatch, c.Observed, effects=True)
DELETE_WORKLOAD = Signature("delete_workload", queues.WAITS, c.WorkspaceKey, c.Observed, waits=True, effects=True)
DELETE_NODE_POOL = Signature("delete_node_pool", queues.CLOUD, c.PoolKey, c.Released, waits=True, effects=True)
DELETE_NODE_CLAIMS = Signature("delete_node_claims", queues.WAITS, c.PoolKey, c.Released, waits=True, effects=True)
DELETE_NODE_RESERVATIONS = Signature(
    "delete_node_reservations", queues.WAITS, c.PoolKey, c.Released, waits=True, effects=True
)
WAIT_FOR_NO_NODES = Signature("wait_for_no_nodes", queues.WAITS, c.WorkspaceKey, c.NodesReady, waits=True)
DELETE_FINALIZER = Signature("delete_finalizer", queues.WORKSPACES, c.WorkspaceKey, c.Observed, effects=True)
READ_PROVIDERS = Signature("read_providers", queues.WORKSPACES, c.WorkspaceKey, c.Providers)
READ_OWNED_NODES = Signature("read_owned_nodes", queues.WORKSPACES, c.SweepScope, c.Inventory)
READ_OWNED_POOLS = Signature("read_owned_pools", queues.CLOUD, c.SweepScope, c.Inventory)
READ_POPULATION = Signature("read_population", queues.WORKSPACES, c.SweepScope, c.WorkspaceList)
READ_RUNS = Signature("read_runs", queues.WORKSPACES, c.SweepScope, c.RunningWorkflows)

ALL: tuple[Signature[Any, Any], ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Signature)
)
BY_NAME = {signature.name: signature for signature in ALL}


def implements(
    signature: Signature[Argument, Result],
) -> Callable[[Body[Owner, Argument, Result]], Body[Owner, Argument, Result]]:
    """Marks a method as the implementation of `signature`: registered under its name; mypy and a test check
    its types."""

    def mark(body: Body[Owner, Argument, Result]) -> Body[Owner, Argument, Result]:
        return activity.defn(name=signature.name)(body)

    return mark
