"""Drains a node before its machine is removed and deletes it afterwards, as AKS does: cordon, evict, delete the rest.

Pods of DaemonSets and static pods are not evicted: they belong to the node. Disruption budgets are respected until the
deadline; then the machine is removed all the same, as deleting an agent pool implies.
"""

import asyncio
import time
from typing import Any

from deploy.local.azure.nodes.cluster_api import ClusterApi, ClusterRefused

# The API server has no wait for "this node is empty"; polling twice a second costs next to nothing.
LOOK_S = 0.5
NODES = "/api/v1/nodes"
STATIC_POD = "kubernetes.io/config.mirror"
# Expected failures of an eviction: an exhausted budget, a deleted pod, an API server error.
BUDGET_USED_UP, GONE = 429, 404


async def empty_node(api: ClusterApi, name: str, seconds: float) -> list[str]:
    """Cordons the node, evicts its pods; returns those still there after `seconds`. Raises ClusterRefused."""
    if not await api.merge(f"{NODES}/{name}", {"spec": {"unschedulable": True}}):
        return []
    version = await eviction_version(api)
    deadline = time.monotonic() + seconds
    while pods := [pod for pod in await pods_on(api, name) if _is_evictable(pod)]:
        if time.monotonic() >= deadline:
            return [pod_path(pod) for pod in pods]
        for pod in pods:
            await _evict(api, pod, version)
        await asyncio.sleep(LOOK_S)
    return []


async def forget_node(api: ClusterApi, name: str) -> None:
    """Deletes a removed machine's pods, without grace period, and its Node. Raises ClusterRefused."""
    for pod in await pods_on(api, name):
        await api.delete(pod_path(pod), {"gracePeriodSeconds": 0})
    await api.delete(f"{NODES}/{name}")


async def pods_on(api: ClusterApi, name: str) -> list[dict[str, Any]]:
    found = await api.read("/api/v1/pods", fieldSelector=f"spec.nodeName={name}") or {}
    items: list[dict[str, Any]] = found.get("items", [])
    return items


async def eviction_version(api: ClusterApi) -> str:
    """Returns policy/v1 or policy/v1beta1: a server before 1.22 takes only the older one, as its discovery shows."""
    resources = (await api.request("GET", "/api/v1"))["resources"]
    eviction = next(resource for resource in resources if resource["name"] == "pods/eviction")
    return f"{eviction['group']}/{eviction['version']}"


def pod_path(pod: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


async def _evict(api: ClusterApi, pod: dict[str, Any], version: str) -> None:
    if pod["metadata"].get("deletionTimestamp"):
        return
    names = {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
    try:
        eviction = {"apiVersion": version, "kind": "Eviction", "metadata": names}
        await api.request("POST", f"{pod_path(pod)}/eviction", eviction)
    except ClusterRefused as refused:
        if refused.status not in (BUDGET_USED_UP, GONE):
            raise


def _is_evictable(pod: dict[str, Any]) -> bool:
    metadata = pod["metadata"]
    owners = [owner["kind"] for owner in metadata.get("ownerReferences", [])]
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return "DaemonSet" not in owners and STATIC_POD not in metadata.get("annotations", {}) and not finished
