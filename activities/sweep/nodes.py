"""Lists the nodes held in a cluster: NodeClaims and reservations, by the Workspace they name.

For the sweeper, and for a Workspace whose workflow has no plan. aks/provider.py lists node pools.
"""

from typing import Final

from activities.clients.identities import labelled
from activities.clients.kubernetes import Cluster, Object
from activities.contract import signatures
from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import Inventory, OwnedResource, Providers, SweepScope
from activities.nodes.byo import reserve
from activities.nodes.karpenter.claims import Claims
from activities.nodes.karpenter.kaito_pools import pools_of
from activities.nodes.karpenter.node_claim import NodeClass
from activities.nodes.living_workspaces import lives_elsewhere
from activities.nodes.reservation_labels import reservation_label, reservations_of
from api import labels, names
from api.providers import Provider

_LABELS: Final = (labels.WORKSPACE_NAMESPACE, labels.WORKSPACE, labels.WORKSPACE_UID)


class ClusterHoldings:
    """NodeClaims and reservations of one cluster; `provider` is the installation's."""

    def __init__(self, cluster: Cluster, *, provider: Provider, with_cloud: bool) -> None:
        self._cluster = cluster
        self._claims = Claims(cluster, NodeClass())
        self._provider = provider
        self._with_cloud = with_cloud

    @signatures.implements(signatures.READ_PROVIDERS)
    async def read_providers(self, key: WorkspaceKey) -> Providers:
        """Returns the providers to query for nodes to release, without a plan: the installation's, those with claims or
        reservations here, and the cloud if there is one, because its pools cannot be seen from here. None if the uid is
        a living Workspace's of another name: whoever told of it did not tell the truth, and nothing is released."""
        if await lives_elsewhere(self._cluster, key):
            return Providers()
        found: set[Provider] = {self._provider}
        if self._with_cloud:
            found.add("aks")
        if await self._claims.listed(key) or await pools_of(self._cluster, key):
            found.add("karpenter")
        if await reserve.holding(self._cluster, key):
            found.add("byo")
        return Providers(names=sorted(found))

    @signatures.implements(signatures.READ_OWNED_NODES)
    async def read_owned_nodes(self, scope: SweepScope) -> Inventory:
        """Returns one resource for each Workspace that claims or reservations name."""
        claims = await self._claims.of_everyone()
        nodes, _ = await self._cluster.list_all("Node", keep=labelled)
        things = {thing.name: thing for thing in (*_claimed(claims), *_reserved(nodes))}
        return Inventory(things=[things[name] for name in sorted(things)], cloud=self._with_cloud)


def _claimed(claims: list[Object]) -> list[OwnedResource]:
    """Claims without our uid are another controller's; the sweeper ignores them."""
    found = []
    for claim in claims:
        owner = [(claim["metadata"].get("labels") or {}).get(label) for label in _LABELS]
        if all(owner):
            namespace, name, uid = map(str, owner)
            key = WorkspaceKey(namespace=namespace, name=name, uid=uid)
            found.append(OwnedResource(kind="node_claims", name=f"{names.pool_name(uid)[:-2]}*", workspace=key))
    return found


def _reserved(nodes: list[Object]) -> list[OwnedResource]:
    uids = {uid for node in nodes for uid in reservations_of(node)}
    return [
        OwnedResource(
            kind="node_reservations",
            name=reservation_label(uid),
            workspace=WorkspaceKey(namespace="", name="", uid=uid),
        )
        for uid in uids
    ]
