"""NodePools that KAITO made for a Workspace: found, and deleted with it.

KAITO with Karpenter makes one per Workspace, with a fixed number of nodes; nothing but its finalizer removes it, and
that is ours now. While one is there it replaces every node that is deleted. A Workspace is never served on its nodes
(`activities/preflight/kaito.py` refuses that); NodeClaims without a NodePool are adopted (`decisions.py`).
"""

from datetime import datetime
from typing import Final

from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import observe
from activities.contract.payloads import WorkspaceKey
from activities.nodes.karpenter.claims import blocked, found_of
from api import labels

SELECTOR: Final = f"{labels.KAITO_MANAGED_BY}=kaito"


async def pools_of(cluster: Cluster, key: WorkspaceKey) -> list[Object]:
    """Returns KAITO's NodePools of this Workspace; [] if the cluster has no NodePools."""
    return [pool for pool in await found_of(cluster, "NodePool", SELECTOR) if _is_of(pool, key)]


async def delete_pools(cluster: Cluster, key: WorkspaceKey, until: datetime) -> bool:
    """Returns when none is left, and whether there was one. Their NodeClaims and nodes go first. Raises CleanupBlocked
    that names what is left at the deadline."""
    pools = await pools_of(cluster, key)
    for pool in pools:
        await cluster.delete("NodePool", pool["metadata"]["name"], uid=pool["metadata"]["uid"])
    if not pools:
        return False
    left = pools
    async for seen in observe(cluster, "NodePool", selector=SELECTOR, until=until):
        left = [pool for pool in seen.values() if _is_of(pool, key)]
        if not left:
            return True
    raise blocked("NodePool", left, "Check that Karpenter runs, and read its log")


def _is_of(pool: Object, key: WorkspaceKey) -> bool:
    """By the labels that its nodes get: the pool's name may be cut."""
    template = (pool.get("spec") or {}).get("template") or {}
    found = (template.get("metadata") or {}).get("labels") or {}
    return found.get(labels.KAITO_POOL_WORKSPACE) == key.name and (
        found.get(labels.KAITO_POOL_NAMESPACE) == key.namespace
    )
