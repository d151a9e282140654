"""The payloads of activities that buy nodes, wait for them, watch and release them.

The rules of `payloads.py` hold here.
"""

from datetime import datetime

from activities.contract.payloads import Payload, WorkspaceKey
from activities.contract.plan import Plan
from api import labels
from api.providers import Provider


class PoolKey(Payload):
    """A node pool and the Workspace that pays for it."""

    workspace: WorkspaceKey
    pool_name: str


class PoolBought(Payload):
    """The pool as ARM describes it after the operation has ended; `accepted_at` is when ARM accepted the request, the
    start of billing, if known."""

    pool_name: str
    instance_type: str
    node_count: int
    provisioning_state: str
    accepted_at: datetime | None = None


class NodesReady(Payload):
    """Nodes that are Ready with every GPU allocatable, sorted by name."""

    names: list[str]


class NodesHeld(Payload):
    """A Workspace's nodes by name, all ready at the last check, and what counts as lost: fewer than `count` are ready
    with so many GPUs, for `unready` seconds or because one is gone."""

    workspace: WorkspaceKey
    provider: Provider
    names: list[str]
    count: int
    gpus_per_node: int
    unready: int
    gpu_resource: str = labels.GPU_RESOURCE

    @classmethod
    def of(cls, plan: Plan, names: list[str]) -> "NodesHeld":
        """The nodes that were bought for a plan."""
        return cls(
            workspace=plan.key,
            provider=plan.provider,
            names=names,
            count=plan.node_count,
            gpus_per_node=plan.gpus_per_node,
            gpu_resource=plan.gpu_resource,
            unready=plan.deadlines.unready,
        )


class Released(Payload):
    """Result of a clean-up: whether anything of ours had to be deleted, and when ARM first returned NotFound. An
    attempt that finds everything deleted by an earlier one reports `existed` too."""

    pool_name: str
    gone_at: datetime
    existed: bool = True
