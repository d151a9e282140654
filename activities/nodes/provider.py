"""Where a Workspace's nodes come from: what every provider can do, and which one a Workspace has. No client library.

    aks        one agent pool per Workspace, bought from Azure Resource Manager (aks.py)
    karpenter  one NodeClaim per node, fulfilled by gpu-provisioner or Karpenter (karpenter.py)
    byo        nodes that are there already; their GPUs are reserved (byo.py)

A provider's activities take and give the same types, so that a workflow only looks up which ones to call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from activities import contracts as c
from activities import queues, signatures
from activities.failures import failure
from activities.nodes.byo_reservations import reservation_label
from activities.signatures import Signature
from api import labels

Provider = Literal["aks", "karpenter", "byo"]

KAITO_WORDS: Final[Mapping[str, Provider]] = {"azure-gpu-provisioner": "karpenter"}
"""KAITO's backend of that name writes NodeClaims, too; Karpenter and byo have the same names there and here."""
_PROVIDERS: Final[Mapping[str, Provider]] = {"aks": "aks", "karpenter": "karpenter", "byo": "byo", **KAITO_WORDS}

ENSURE_NODE_CLAIMS: Final = Signature(
    "ensure_node_claims", queues.WAITS, c.Plan, c.PoolBought, waits=True, effects=True
)
DELETE_NODE_CLAIMS: Final = Signature(
    "delete_node_claims", queues.WAITS, c.PoolKey, c.Released, waits=True, effects=True
)
ENSURE_NODE_RESERVATIONS: Final = Signature(
    "ensure_node_reservations", queues.WAITS, c.Plan, c.PoolBought, waits=True, effects=True
)
DELETE_NODE_RESERVATIONS: Final = Signature(
    "delete_node_reservations", queues.WAITS, c.PoolKey, c.Released, waits=True, effects=True
)


class NodeProvider(Protocol):
    """What every provider can do. All can be repeated; each begins by asking what is really there."""

    async def ensure_node_pool(self, plan: c.Plan) -> c.PoolBought:
        """A gang: returns when all `node_count` nodes are given, or raises the reason why they are not."""
        ...

    async def delete_node_pool(self, key: c.PoolKey) -> c.Released:
        """Returns when nothing is left that costs anything, or raises CleanupBlocked or CloudBusy."""
        ...

    async def look(self, key: c.PoolKey) -> c.PoolBought | None:
        """What the Workspace holds now; None for nothing."""
        ...


@dataclass(frozen=True)
class Steps:
    """The activities by which one provider gives and takes back."""

    ensure: Signature[c.Plan, c.PoolBought]
    release: Signature[c.PoolKey, c.Released]


STEPS: Final[Mapping[Provider, Steps]] = {
    "aks": Steps(signatures.ENSURE_NODE_POOL, signatures.DELETE_NODE_POOL),
    "karpenter": Steps(ENSURE_NODE_CLAIMS, DELETE_NODE_CLAIMS),
    "byo": Steps(ENSURE_NODE_RESERVATIONS, DELETE_NODE_RESERVATIONS),
}


def provider_of(annotations: Mapping[str, str], *, installed: Provider, held: Provider | None = None) -> Provider:
    """The Workspace's provider: the annotation's, else the one it `held` before, else the installation's.

    Raises InvalidSpec for an unknown word, for two annotations that differ, and for another provider than the one that
    its nodes came from: it could not give them back.
    """
    asked = {key: _parsed(key, annotations[key]) for key in _KEYS if annotations.get(key, "").strip()}
    if len(set(asked.values())) > 1:
        words = " and ".join(f"{key}={annotations[key]}" for key in asked)
        raise failure("InvalidSpec", f"the annotations {words} contradict each other: keep one of them")
    chosen = next(iter(asked.values()), held or installed)
    if held is not None and chosen != held:
        raise failure(
            "InvalidSpec",
            f"annotation {next(iter(asked))}: this Workspace's nodes come from {held}, and it keeps its provider for "
            f"life. Remove the annotation, or make a new Workspace for {chosen}",
        )
    return chosen


_KEYS: Final = (labels.NODE_PROVIDER, labels.NODE_PROVISIONER)


def _parsed(key: str, word: str) -> Provider:
    provider = _PROVIDERS.get(word.strip().lower())
    if provider is None:
        raise failure("InvalidSpec", f"annotation {key} is {word!r}: use one of {', '.join(sorted(_PROVIDERS))}")
    return provider


def node_selector(provider: Provider, plan: c.Plan) -> dict[str, str]:
    """Labels that a Workspace's nodes carry and its pods ask for. Several Workspaces may share a node of one's own."""
    if provider == "byo":
        return {reservation_label(plan.key.uid): str(plan.gpus_per_node)}
    return {labels.WORKSPACE_UID: plan.key.uid}


def nodes_selector(provider: Provider, key: c.WorkspaceKey) -> str:
    """The label selector that finds a Workspace's nodes."""
    if provider == "byo":
        return reservation_label(key.uid)
    return f"{labels.WORKSPACE_UID}={key.uid}"
