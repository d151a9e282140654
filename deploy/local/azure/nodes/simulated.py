"""Machines that are Node objects only: Ready, with GPUs to allocate, and without a kubelet that runs pods.

For clusters whose nodes we may not start and for tests with hundreds of nodes. Leases are renewed, because the node
lifecycle controller of a whole cluster would otherwise mark the nodes lost after 40 s.
"""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.azure.nodes.cluster_api import ClusterApi, ClusterRefused
from deploy.local.azure.nodes.draining import NODES, empty_node, forget_node
from deploy.local.azure.nodes.machines import POOL_LABEL, Machine, MachineFailed

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
RENEW_S = 5.0
RENEWING_TOGETHER = 16
LEASE_S = 40
CONDITIONS = {
    "Ready": ("True", "KubeletReady"),
    "MemoryPressure": ("False", "KubeletHasSufficientMemory"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID"),
}
log = logging.getLogger(__name__)


class Simulated:
    """Node objects in the cluster of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._api = ClusterApi(kubeconfig)
        self._alive: set[str] = set()
        self._renewals = asyncio.Semaphore(RENEWING_TOGETHER)
        self._renewing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._api.open()
        self._renewing = asyncio.create_task(self._renew_leases())

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self._api.close()

    async def start(self, machine: Machine) -> None:
        try:
            if await self._api.create(NODES, node_object(machine)):
                # The TaintNodesByCondition admission plugin taints every new node as not-ready; without a node
                # lifecycle controller nothing would remove that taint.
                await self._api.merge(f"{NODES}/{machine.name}", {"spec": {"taints": _taints(machine)}})
            await self._api.create(LEASES, _lease(machine.name))
        except ClusterRefused as refused:
            raise MachineFailed(f"{machine.name} did not start: {refused}") from refused
        self._alive.add(machine.name)

    async def remove(self, pool: str, name: str, *, drain_seconds: float) -> None:
        self._alive.discard(name)
        try:
            # No kubelet ends pods here, so waiting for them would never end: they are deleted.
            await empty_node(self._api, name, 0.0)
            await forget_node(self._api, name)
            await self._api.delete(f"{LEASES}/{name}")
        except ClusterRefused as refused:
            raise MachineFailed(f"{name} was not removed: {refused}") from refused

    async def present(self, pool: str) -> list[str]:
        try:
            found = await self._api.read(NODES, labelSelector=f"{POOL_LABEL}={pool}") or {}
        except ClusterRefused as refused:
            raise MachineFailed(f"the nodes of {pool} cannot be listed: {refused}") from refused
        names: list[str] = [node["metadata"]["name"] for node in found.get("items", [])]
        return sorted(name for name in names if name.startswith(f"aks-{pool}-"))

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            # In sequence, hundreds of nodes would take longer than a lease lasts.
            await asyncio.gather(*(self._renew(name) for name in sorted(self._alive)))
            await self._report_again()

    async def _renew(self, name: str) -> None:
        async with self._renewals:
            try:
                await self._api.merge(f"{LEASES}/{name}", {"spec": {"renewTime": _now_micro()}})
            except ClusterRefused as refused:
                # A restarting API server is back before a lease expires.
                log.warning("lease of %s not renewed: %s", name, refused)

    async def _report_again(self) -> None:
        """Reports Ready again for a node that was marked lost, as a living kubelet does."""
        try:
            found = await self._api.read(NODES) or {}
            for node in found.get("items", []):
                name = node["metadata"]["name"]
                if name in self._alive and not _is_ready(node):
                    log.warning("%s was marked lost; reporting it as ready again", name)
                    await self._api.patch_status(f"{NODES}/{name}", {"conditions": _conditions()})
        except ClusterRefused as refused:
            log.warning("nodes that were marked lost cannot be reported as ready: %s", refused)


def node_object(machine: Machine) -> dict[str, Any]:
    """Returns the Node as a kubelet on such a machine would register it."""
    sku = machine.sku
    capacity = {"cpu": str(sku.vcpus), "memory": f"{sku.ram_gib}Gi", "ephemeral-storage": "128Gi", "pods": "110"}
    if machine.gpus:
        capacity["nvidia.com/gpu"] = str(machine.gpus)
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": machine.name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": machine.name, "labels": labels | machine.labels},
        "spec": {"providerID": machine.provider_id, "taints": _taints(machine)},
        "status": {"capacity": capacity, "allocatable": capacity, "conditions": _conditions()},
    }


def _conditions() -> list[dict[str, str]]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        {"type": kind, "status": status, "reason": reason, "lastHeartbeatTime": now, "lastTransitionTime": now}
        for kind, (status, reason) in CONDITIONS.items()
    ]


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _taints(machine: Machine) -> list[dict[str, str]]:
    return [_taint(text) for text in machine.taints]


def _taint(text: str) -> dict[str, str]:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect} | ({"value": value} if value else {})


def _lease(name: str) -> dict[str, Any]:
    spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_S, "renewTime": _now_micro()}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def _now_micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
