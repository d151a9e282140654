"""Reserves GPUs on the user's own nodes and releases them. All nodes of a gang, or none.

A gang that waits for its last node holds nothing, so that two that want the same nodes cannot block each other; only
nodes where a Workspace's pods already run stay reserved.
"""

from collections.abc import Iterable

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.identities import identity
from activities.clients.kubernetes import Cluster, Object
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.nodes import reservation_labels
from activities.nodes.byo.gpu_accounting import pick, uses_of
from activities.nodes.byo.watch import View

_CHANGED = (409, 422)
"""A test of the patch failed: the Node was changed since it was read."""


async def reserve(cluster: Cluster, plan: Plan, view: View) -> list[str]:
    """Returns the nodes where the plan's GPUs are reserved now; [] if there are too few, or on a conflict."""
    uid, gpus, resource = plan.key.uid, plan.gpus_per_node, plan.gpu_resource
    uses = uses_of(view.nodes, view.pods, resource)
    chosen = pick(uses, uid, gpus=gpus, count=plan.node_count)
    if len(chosen) < plan.node_count:
        await _remove_reservations(cluster, view, uid, [use.name for use in uses if not use.runs_pods_of(uid)])
        return []
    made: list[str] = []
    for name in sorted(chosen):
        node = view.nodes[name]
        if reservation_labels.is_reserved(node, uid, gpus, resource):
            continue
        if not await _patch(cluster, name, reservation_labels.reserving(node, uid, gpus, resource)):
            for earlier in made:
                await _patch(cluster, earlier, reservation_labels.undoing(uid))
            return []
        made.append(name)
    await _remove_reservations(cluster, view, uid, [use.name for use in uses if use.name not in chosen])
    return sorted(chosen)


async def release(cluster: Cluster, key: WorkspaceKey) -> bool:
    """Removes the Workspace's reservations from every node; returns whether there was one."""
    nodes = await holding(cluster, key)
    for node in nodes:
        await _patch(cluster, node["metadata"]["name"], reservation_labels.releasing(node, key.uid))
    return bool(nodes)


async def holding(cluster: Cluster, key: WorkspaceKey) -> list[Object]:
    """Returns the nodes with a reservation of the Workspace, whatever their other labels are now."""
    nodes, _ = await cluster.list_all("Node", selector=reservation_labels.reservation_label(key.uid))
    return nodes


async def clear_stale(cluster: Cluster, view: View) -> list[str]:
    """Removes reservations of deleted Workspaces; returns their uids.

    Lists the Workspaces after the view was taken: each holder of a reservation in the view existed before, so one that
    is not listed is deleted for good.
    """
    holders = {uid for node in view.nodes.values() for uid in reservation_labels.reservations_of(node)}
    if not holders:
        return []
    found, _ = await cluster.list_all("Workspace", keep=identity)
    stale = sorted(holders - {workspace["metadata"]["uid"] for workspace in found})
    for uid in stale:
        await _remove_reservations(cluster, view, uid, view.nodes)
    return stale


async def _remove_reservations(cluster: Cluster, view: View, uid: str, names: Iterable[str]) -> None:
    """Removes the view's reservations from these nodes. A Node that has changed since is left for the next view."""
    for name in names:
        if uid in reservation_labels.reservations_of(view.nodes[name]):
            await _patch(cluster, name, reservation_labels.letting_go(view.nodes[name], uid))


async def _patch(cluster: Cluster, name: str, operations: list[Object]) -> bool:
    """Applies the patch. Returns False if the Node has changed, does not exist, or has no such reservation."""
    try:
        await cluster.patch("Node", name, None, operations)
    except ApiException as error:
        if error.status in _CHANGED or error.status == 404:
            return False
        raise
    return True
