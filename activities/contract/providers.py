"""The activities with which each node provider checks, acquires and releases: all that a workflow knows about it.

Signatures only, so that workflow code imports no client library. `nodes/provider.py` defines what a provider is, and
which one a Workspace has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from activities.contract import signatures as s
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan, Preflight
from activities.contract.policies import OWN_DEADLINE_S
from activities.contract.signatures import Signature
from api.providers import Provider


@dataclass(frozen=True)
class Steps:
    """The activities of one provider, and their texts: `ensuring` in the status, `to_ensure` and `releasing` in the
    Temporal UI. `{nodes}` and `{pool}` are filled in.

    `more_time_s` is what `ensure` gets beyond the plan's deadline, if it ends there by itself. `nodes_go` is whether
    the nodes themselves are released, so that none may be left.
    """

    check: Signature[Plan, Preflight]
    ensure: Signature[Plan, PoolBought]
    release: Signature[PoolKey, Released]
    ensuring: str
    to_ensure: str
    releasing: str
    more_time_s: int = 0
    nodes_go: bool = True


STEPS: Final[Mapping[Provider, Steps]] = {
    "aks": Steps(
        s.READ_PREFLIGHT,
        s.ENSURE_NODE_POOL,
        s.DELETE_NODE_POOL,
        ensuring="buying {nodes} as pool {pool}",
        to_ensure="buy {nodes} as pool {pool}",
        releasing="delete node pool {pool} and wait until it is gone",
    ),
    "karpenter": Steps(
        s.READ_CLUSTER_PREFLIGHT,
        s.ENSURE_NODE_CLAIMS,
        s.DELETE_NODE_CLAIMS,
        ensuring="claiming {nodes}",
        to_ensure="create NodeClaims for {nodes}",
        releasing="delete the NodeClaims of {pool} and wait until their nodes are gone",
        more_time_s=OWN_DEADLINE_S,
    ),
    "byo": Steps(
        s.READ_CLUSTER_PREFLIGHT,
        s.ENSURE_NODE_RESERVATIONS,
        s.DELETE_NODE_RESERVATIONS,
        ensuring="reserving GPUs on {nodes}",
        to_ensure="reserve GPUs on {nodes}",
        releasing="release the reserved GPUs; the nodes stay",
        more_time_s=OWN_DEADLINE_S,
        nodes_go=False,
    ),
}
