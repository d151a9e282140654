"""The payloads of activities that buy nodes, wait for them, watch and release them.

The rules of `payloads.py` hold here.
"""

from datetime import datetime

from activities.contract.payloads import Payload, WorkspaceKey
from activities.contract.plan import Plan


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
    """A plan's nodes by name, all ready at the last check."""

    plan: Plan
    names: list[str]


class NodesLost(Payload):
    """Nodes that do not exist any more, or have been not ready for too long, sorted by name."""

    names: list[str]


class Released(Payload):
    """Result of a clean-up: whether anything of ours had to be deleted, and when ARM first returned NotFound. An
    attempt that finds everything deleted by an earlier one reports `existed` too."""

    pool_name: str
    gone_at: datetime
    existed: bool = True
