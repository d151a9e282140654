"""NodePools that KAITO made for a Workspace: found, and deleted with it.

KAITO with Karpenter makes one per Workspace, with a fixed number of nodes; nothing but its finalizer removes it, and
that is ours now. While one is there it replaces every node that is deleted. A Workspace is never served on its nodes
(`activities/preflight/kaito.py` refuses that); NodeClaims without a NodePool are adopted (`decisions.py`).
"""

from datetime import datetime
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import observe
from activities.contract.payloads import WorkspaceKey
from activities.nodes.karpenter.claims import blocked
from api import labels

SELECTOR: Final = f"{labels.KAITO_MANAGED_BY}=kaito"


async def pools_of(cluster: Cluster, key: WorkspaceKey) -> list[Object]:
    """Returns KAITO's NodePools of this Workspace; [] if the cluster has no NodePools."""
    try:
        found, _ = await cluster.list_all("NodePool", selector=SELECTOR)
    except ApiException as error:
        if error.status == 404:
            return []
        raise
    return [pool for pool in found if _is_of(pool, key)]


async def delete_pools(cluster: Cluster, key: WorkspaceKey, until: datetime) -> bool:
    """Returns when none is left, and whether there was one. Their NodeClaims and nodes go first. Raises CleanupBlocked
    that names what is left at the deadline."""
    pools = await pools_of(cluster, key)
    for pool in pools:
        await _delete(cluster, pool)
    if not pools:
        return False
    left = pools
    async for seen in observe(cluster, "NodePool", selector=SELECTOR, until=until):
        left = [pool for pool in seen.values() if _is_of(pool, key)]
        if not left:
            return True
    raise blocked("NodePool", left, "Check that Karpenter runs, and read its log")


async def _delete(cluster: Cluster, pool: Object) -> None:
    metadata = pool["metadata"]
    # In the foreground it stays until its NodeClaims are gone, and shows so long that they are not.
    body = {"propagationPolicy": "Foreground", "preconditions": {"uid": metadata["uid"]}}
    try:
        await cluster.request("DELETE", path_of("NodePool", None, metadata["name"]), body=body)
    except ApiException as error:
        if error.status not in (404, 409):
            raise


def _is_of(pool: Object, key: WorkspaceKey) -> bool:
    """By the labels that its nodes get: the pool's name may be cut."""
    template = (pool.get("spec") or {}).get("template") or {}
    found = (template.get("metadata") or {}).get("labels") or {}
    return found.get(labels.KAITO_POOL_WORKSPACE) == key.name and (
        found.get(labels.KAITO_POOL_NAMESPACE) == key.namespace
    )
