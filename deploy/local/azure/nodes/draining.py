"""Drains a node before its machine is removed and deletes it afterwards, as AKS does: cordon, evict, delete the rest.

Pods of DaemonSets and static pods are not evicted: they belong to the node. Disruption budgets are respected until the
deadline; then the machine is removed all the same, as deleting an agent pool implies.
"""

import asyncio
import time

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster, Object

# The API server has no wait for "this node is empty"; polling twice a second costs next to nothing.
LOOK_S = 0.5
STATIC_POD = "kubernetes.io/config.mirror"
# Expected failures of an eviction: an exhausted budget, a deleted pod, an API server error.
BUDGET_USED_UP, GONE = 429, 404


async def empty_node(cluster: Cluster, name: str, seconds: float) -> list[str]:
    """Cordons the node, evicts its pods; returns those still there after `seconds`. Raises REQUEST_ERRORS."""
    if not await cluster.merge("Node", name, None, {"spec": {"unschedulable": True}}):
        return []
    version = await eviction_version(cluster)
    deadline = time.monotonic() + seconds
    while pods := [pod for pod in await pods_on(cluster, name) if _is_evictable(pod)]:
        if time.monotonic() >= deadline:
            return [pod_path(pod) for pod in pods]
        for pod in pods:
            await _evict(cluster, pod, version)
        await asyncio.sleep(LOOK_S)
    return []


async def forget_node(cluster: Cluster, name: str) -> None:
    """Deletes a removed machine's pods, without grace period, and its Node. Raises REQUEST_ERRORS."""
    for pod in await pods_on(cluster, name):
        await cluster.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_s=0)
    await cluster.delete("Node", name)


async def pods_on(cluster: Cluster, name: str) -> list[Object]:
    pods, _ = await cluster.list_all("Pod", fields=f"spec.nodeName={name}")
    return pods


async def eviction_version(cluster: Cluster) -> str:
    """Returns policy/v1 or policy/v1beta1: a server before 1.22 takes only the older one, as its discovery shows."""
    resources = (await cluster.request("GET", "/api/v1"))["resources"]
    eviction = next(resource for resource in resources if resource["name"] == "pods/eviction")
    return f"{eviction['group']}/{eviction['version']}"


def pod_path(pod: Object) -> str:
    return path_of("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])


async def _evict(cluster: Cluster, pod: Object, version: str) -> None:
    if pod["metadata"].get("deletionTimestamp"):
        return
    names = {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
    try:
        eviction = {"apiVersion": version, "kind": "Eviction", "metadata": names}
        await cluster.request("POST", f"{pod_path(pod)}/eviction", body=eviction)
    except ApiException as refused:
        if refused.status not in (BUDGET_USED_UP, GONE):
            raise


def _is_evictable(pod: Object) -> bool:
    metadata = pod["metadata"]
    owners = [owner["kind"] for owner in metadata.get("ownerReferences", [])]
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return "DaemonSet" not in owners and STATIC_POD not in metadata.get("annotations", {}) and not finished
