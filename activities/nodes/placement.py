"""Sets the label that a Workspace's pods select, on nodes that are the Workspace's by what their provider says.

A kubelet may give its own Node any label but those of the domain node-restriction.kubernetes.io (Kubernetes, "Node
authorization"), so whoever owns a machine could draw other Workspaces' pods onto it, with their Secrets. Such a label
cannot be given when a pool is bought: kubelets refuse to start with it. What the label of before selects is therefore
only asked whether it is the provider's. Claims (`karpenter/claims.py`) and reservations (`byo/reserve.py`) set theirs.
"""

import asyncio
from collections.abc import Iterable

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import Collection
from activities.contract.plan import Plan
from activities.nodes.reservation_labels import amount
from api import labels, names
from api.providers import Provider


def placement_of(plan: Plan) -> tuple[str, str]:
    """The label that the plan's pods select, which its nodes get from the worker alone."""
    if plan.provider == "byo":
        return f"{labels.GPU_PLACEMENTS}/{plan.key.uid}", amount(plan.gpus_per_node, plan.gpu_resource)
    return labels.PLACEMENT, plan.key.uid


def usable(nodes: Collection, plan: Plan) -> Collection:
    """The nodes where the plan's pods may start; all for a plan of a release that selected by the label of before."""
    if not plan.placed:
        return nodes
    key, value = placement_of(plan)
    return {name: node for name, node in nodes.items() if _labels(node).get(key) == value}


async def place(cluster: Cluster, nodes: Iterable[Object], uid: str, provider: Provider) -> None:
    """Sets the label on nodes of the Workspace's pool that lack it. Only of pools: the name of a node is its identity,
    which AKS makes of the pool's (`aks-POOL-...`), and the API server lets nobody take another one."""
    if provider != "aks":
        return
    own = f"aks-{names.pool_name(uid)}-"
    lacking = [node for node in nodes if node["metadata"]["name"].startswith(own) and not _is_placed(node, uid)]
    await asyncio.gather(*(_place(cluster, node, uid) for node in lacking))


async def _place(cluster: Cluster, node: Object, uid: str) -> None:
    metadata = node["metadata"]
    path = "/metadata/labels/" + labels.PLACEMENT.replace("/", "~1")
    same: Object = {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]}
    try:
        await cluster.patch("Node", metadata["name"], None, [same, {"op": "add", "path": path, "value": uid}])
    except ApiException as error:
        if error.status not in (404, 422):  # it is gone or another one: the next look shows it
            raise


def _is_placed(node: Object, uid: str) -> bool:
    return _labels(node).get(labels.PLACEMENT) == uid


def _labels(node: Object) -> dict[str, str]:
    return node["metadata"].get("labels") or {}
