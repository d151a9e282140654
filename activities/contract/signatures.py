"""Every activity's name, queue and types: what workflows call.

The implementations live in the sibling packages and are registered under the same names; tests register fakes. A test
compares this table with both, so that a signature without an implementation, or with other types, cannot be released.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from temporalio import activity

from activities.contract import queues
from activities.contract.models import ModelRequest, PinnedModel
from activities.contract.nodes import NodesReady, PoolBought, PoolKey, Released
from activities.contract.payloads import Observed, StatusPatch, WorkspaceKey
from activities.contract.plan import Check, Plan, Planned, PlanRequest, Preflight, Wanted, WantedRequest
from activities.contract.serving import (
    Completions,
    Health,
    HealthRequest,
    ServingReady,
    ServingRequest,
    Undeployed,
    UndeployRequest,
    VerifyRequest,
    WorkloadApplied,
    WorkloadRequest,
)
from activities.contract.sweep import Inventory, Providers, RunningWorkflows, SweepScope, WorkspaceList
from activities.contract.tuning import (
    AdapterRequest,
    JobApplied,
    JobDone,
    JobRequest,
    JobWait,
    PublishedAdapter,
    TuningKey,
)

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Owner = TypeVar("Owner")
Body = Callable[[Owner, Argument], Coroutine[Any, Any, Result]]
"""A method that implements an activity."""


@dataclass(frozen=True)
class Signature(Generic[Argument, Result]):
    """One activity. `waits`: it lasts as long as what it waits for, and its body heartbeats with its progress;
    `effects`: it has side effects outside the worker."""

    name: str
    queue: str
    argument: type[Argument]
    result: type[Result]
    waits: bool = False
    effects: bool = False


BUILD_PLAN = Signature("build_plan", queues.WORKSPACES, PlanRequest, Planned)
READ_WANTED = Signature("read_wanted", queues.WORKSPACES, WantedRequest, Wanted)
READ_WORKSPACE = Signature("read_workspace", queues.WORKSPACES, WorkspaceKey, Observed)
READ_HEALTH = Signature("read_health", queues.WORKSPACES, HealthRequest, Health)
READ_PREFLIGHT = Signature("read_preflight", queues.CLOUD, Plan, Preflight)
READ_CLUSTER_PREFLIGHT = Signature("read_cluster_preflight", queues.WORKSPACES, Plan, Preflight)
READ_WORKLOAD_PREFLIGHT = Signature("read_workload_preflight", queues.WORKSPACES, Plan, Preflight)
WAIT_FOR_GPUS_OFFERED = Signature("wait_for_gpus_offered", queues.WAITS, Plan, Check, waits=True)
READ_MODEL_REVISION = Signature("read_model_revision", queues.WAITS, ModelRequest, PinnedModel)
READ_COMPLETIONS = Signature("read_completions", queues.WAITS, VerifyRequest, Completions, waits=True)
ENSURE_FINALIZER = Signature("ensure_finalizer", queues.WORKSPACES, WorkspaceKey, Observed, effects=True)
ENSURE_NODE_POOL = Signature("ensure_node_pool", queues.CLOUD, Plan, PoolBought, waits=True, effects=True)
ENSURE_NODE_CLAIMS = Signature("ensure_node_claims", queues.WAITS, Plan, PoolBought, waits=True, effects=True)
ENSURE_NODE_RESERVATIONS = Signature(
    "ensure_node_reservations", queues.WAITS, Plan, PoolBought, waits=True, effects=True
)
ENSURE_WORKLOAD = Signature("ensure_workload", queues.WORKSPACES, WorkloadRequest, WorkloadApplied, effects=True)
WAIT_FOR_NODES = Signature("wait_for_nodes", queues.WAITS, Plan, NodesReady, waits=True)
WAIT_FOR_OWN_NODES = Signature("wait_for_own_nodes", queues.WAITS, PlanRequest, NodesReady, waits=True)
WAIT_FOR_SERVING = Signature("wait_for_serving", queues.WAITS, ServingRequest, ServingReady, waits=True)
ENSURE_TUNING_JOB = Signature("ensure_tuning_job", queues.WAITS, JobRequest, JobApplied, waits=True, effects=True)
WAIT_FOR_TUNING_JOB = Signature("wait_for_tuning_job", queues.WAITS, JobWait, JobDone, waits=True)
DELETE_TUNING = Signature("delete_tuning", queues.RELEASES, TuningKey, Undeployed, waits=True, effects=True)
READ_ADAPTER = Signature("read_adapter", queues.WORKSPACES, AdapterRequest, PublishedAdapter)
PATCH_STATUS = Signature("patch_status", queues.WORKSPACES, StatusPatch, Observed, effects=True)
DELETE_WORKLOAD = Signature("delete_workload", queues.RELEASES, UndeployRequest, Undeployed, waits=True, effects=True)
DELETE_NODE_POOL = Signature("delete_node_pool", queues.CLOUD, PoolKey, Released, waits=True, effects=True)
DELETE_NODE_CLAIMS = Signature("delete_node_claims", queues.RELEASES, PoolKey, Released, waits=True, effects=True)
DELETE_NODE_RESERVATIONS = Signature(
    "delete_node_reservations", queues.RELEASES, PoolKey, Released, waits=True, effects=True
)
WAIT_FOR_NO_NODES = Signature("wait_for_no_nodes", queues.RELEASES, WorkspaceKey, NodesReady, waits=True)
DELETE_FINALIZER = Signature("delete_finalizer", queues.WORKSPACES, WorkspaceKey, Observed, effects=True)
READ_PROVIDERS = Signature("read_providers", queues.WORKSPACES, WorkspaceKey, Providers)
READ_OWNED_NODES = Signature("read_owned_nodes", queues.WORKSPACES, SweepScope, Inventory)
READ_OWNED_POOLS = Signature("read_owned_pools", queues.CLOUD, SweepScope, Inventory)
READ_POPULATION = Signature("read_population", queues.WORKSPACES, SweepScope, WorkspaceList)
READ_RUNS = Signature("read_runs", queues.WORKSPACES, SweepScope, RunningWorkflows)

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
