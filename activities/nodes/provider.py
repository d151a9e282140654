"""Where a Workspace's nodes come from: the protocol of providers, and which one a Workspace has. No client library.

    aks        one agent pool per Workspace, bought from Azure Resource Manager (aks/provider.py)
    karpenter  one NodeClaim per node, fulfilled by gpu-provisioner or Karpenter (karpenter/provider.py)
    byo        existing nodes; their GPUs are reserved (byo/provider.py)

The activities of all providers have the same types, so that a workflow only looks up which ones to call
(contract/providers.py).
"""

from collections.abc import Mapping
from typing import Final, Protocol

from activities.contract.failures import failure
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.nodes.placement import placement_of
from activities.nodes.reservation_labels import reservation_label
from api import labels
from api.providers import Provider
from api.validation.document import PROVISIONERS

_PROVIDERS: Final[Mapping[str, Provider]] = {"aks": "aks", "karpenter": "karpenter", "byo": "byo"}
_KEYS: Final = (labels.NODE_PROVIDER, labels.NODE_PROVISIONER)


class NodeProvider(Protocol):
    """The operations of every provider. All are idempotent; each begins by querying the real state."""

    async def ensure_node_pool(self, plan: Plan) -> PoolBought:
        """A gang: returns when all `node_count` nodes are acquired, or raises the reason why they are not."""
        ...

    async def delete_node_pool(self, key: PoolKey) -> Released:
        """Returns when nothing that costs money is left, or raises CleanupBlocked or CloudBusy."""
        ...

    async def read_held(self, key: PoolKey) -> PoolBought | None:
        """Returns what the Workspace holds now; None if nothing."""
        ...


def provider_of(annotations: Mapping[str, str], *, installed: Provider, held: Provider | None = None) -> Provider:
    """Returns the Workspace's provider: the annotation's, else the one it `held` before, else the installation's.

    Raises InvalidSpec for an unknown value, for two annotations that differ, and for another provider than the one that
    its nodes came from, because it could not release them.
    """
    requested = {key: _parsed(key, annotations[key]) for key in _KEYS if annotations.get(key, "").strip()}
    if len(set(requested.values())) > 1:
        listed = " and ".join(f"{key}={annotations[key]}" for key in requested)
        raise failure("InvalidSpec", f"the annotations {listed} contradict each other: keep one of them")
    chosen = next(iter(requested.values()), held or installed)
    if held is not None and chosen != held:
        raise failure(
            "InvalidSpec",
            f"annotation {next(iter(requested))}: this Workspace's nodes come from {held}, and it keeps its "
            f"provider for life. Remove the annotation, or make a new Workspace for {chosen}",
        )
    return chosen


def _parsed(key: str, value: str) -> Provider:
    given = value.strip().lower()
    provider = _PROVIDERS.get(PROVISIONERS.get(given, given))
    if provider is None:
        known = ", ".join(sorted({*_PROVIDERS, *PROVISIONERS}))
        raise failure("InvalidSpec", f"annotation {key} is {value!r}: use one of {known}")
    return provider


def node_selector(plan: Plan) -> dict[str, str]:
    """Labels of a Workspace's nodes, selected by its pods. Several Workspaces may share one of the user's nodes."""
    if plan.placed:
        return dict([placement_of(plan)])
    if plan.provider == "byo":
        return {reservation_label(plan.key.uid): str(plan.gpus_per_node)}
    return {labels.WORKSPACE_UID: plan.key.uid}


def nodes_selector(uid: str, provider: Provider) -> str:
    """The label selector that finds a Workspace's nodes."""
    return reservation_label(uid) if provider == "byo" else f"{labels.WORKSPACE_UID}={uid}"
