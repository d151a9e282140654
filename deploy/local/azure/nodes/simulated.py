"""Machines that are Node objects only: Ready, with GPUs once a device plugin is there, without a kubelet for pods.

For clusters whose nodes we may not start and for tests with hundreds of nodes. Leases are renewed, because the node
lifecycle controller of a whole cluster would otherwise mark the nodes lost after 40 s.
"""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster
from deploy.local.azure.nodes.draining import empty_node, forget_node
from deploy.local.azure.nodes.machines import POOL_LABEL, Machine, MachineFailed
from deploy.local.azure.nodes.shown_gpus import GPU, ShownGpus

LEASES = "kube-node-lease"
"""The namespace of the nodes' leases."""
GPUS = "local.modelyard.dev/gpus"
"""Annotation of a Node: GPUs of its machine, whether a plugin offers them or not."""
RENEW_S = 5.0
RENEWING_TOGETHER = 16
LEASE_S = 40
CONFLICT = 409
CONDITIONS = {
    "Ready": ("True", "KubeletReady"),
    "MemoryPressure": ("False", "KubeletHasSufficientMemory"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID"),
}
log = logging.getLogger(__name__)


class Simulated:
    """Node objects in the cluster of a kubeconfig."""

    _cluster: Cluster  # from `open` on
    _gpus: ShownGpus  # likewise

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._alive: set[str] = set()
        self._renewals = asyncio.Semaphore(RENEWING_TOGETHER)
        self._running: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self._cluster = await Cluster.connect(str(self._kubeconfig), direct=True)
        self._gpus = ShownGpus(self._cluster)
        self._running = [asyncio.create_task(self._renew_leases()), asyncio.create_task(self._gpus.run())]

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._cluster.close()

    async def start(self, machine: Machine) -> None:
        try:
            if await self._create("Node", node_object(machine)):
                # The TaintNodesByCondition admission plugin taints every new node as not-ready; without a node
                # lifecycle controller nothing would remove that taint.
                await self._cluster.merge("Node", machine.name, None, {"spec": {"taints": _taints(machine)}})
            await self._create("Lease", _lease(machine.name))
            node = await self._cluster.get("Node", machine.name) or {"metadata": {}}
        except REQUEST_ERRORS as refused:
            raise MachineFailed(f"{machine.name} did not start: {refused}") from refused
        self._alive.add(machine.name)
        # As the Node says, which an emulator that was started again finds.
        if gpus := int((node["metadata"].get("annotations") or {}).get(GPUS, 0)):
            self._gpus.joined(machine.name, gpus, shown=GPU in node["status"]["allocatable"])

    async def remove(self, pool: str, name: str, *, drain_seconds: float) -> None:
        self._alive.discard(name)
        try:
            # No kubelet ends pods here, so waiting for them would never end: they are deleted.
            await empty_node(self._cluster, name, 0.0)
            await forget_node(self._cluster, name)
            await self._gpus.left(name)
            await self._cluster.delete("Lease", name, LEASES)
        except REQUEST_ERRORS as refused:
            raise MachineFailed(f"{name} was not removed: {refused}") from refused

    async def present(self, pool: str) -> list[str]:
        try:
            found, _ = await self._cluster.list_all("Node", selector=f"{POOL_LABEL}={pool}")
        except REQUEST_ERRORS as refused:
            raise MachineFailed(f"the nodes of {pool} cannot be listed: {refused}") from refused
        names: list[str] = [node["metadata"]["name"] for node in found]
        return sorted(name for name in names if name.startswith(f"aks-{pool}-"))

    async def _create(self, kind: str, body: dict[str, Any]) -> bool:
        """Returns False if an object of that name exists."""
        try:
            await self._cluster.create(kind, body)
        except ApiException as refused:
            if refused.status == CONFLICT:
                return False
            raise
        return True

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            # In sequence, hundreds of nodes would take longer than a lease lasts.
            await asyncio.gather(*(self._renew(name) for name in sorted(self._alive)))
            await self._report_again()

    async def _renew(self, name: str) -> None:
        async with self._renewals:
            try:
                await self._cluster.merge("Lease", name, LEASES, {"spec": {"renewTime": _now_micro()}})
            except REQUEST_ERRORS as refused:
                # A restarting API server is back before a lease expires.
                log.warning("lease of %s not renewed: %s", name, refused)

    async def _report_again(self) -> None:
        """Reports Ready again for a node that was marked lost, as a living kubelet does."""
        try:
            found, _ = await self._cluster.list_all("Node")
            for node in found:
                name = node["metadata"]["name"]
                if name in self._alive and not _is_ready(node):
                    log.warning("%s was marked lost; reporting it as ready again", name)
                    status = {"status": {"conditions": _conditions()}}
                    await self._cluster.merge("Node", name, None, status, subresource="status")
        except REQUEST_ERRORS as refused:
            log.warning("nodes that were marked lost cannot be reported as ready: %s", refused)


def node_object(machine: Machine) -> dict[str, Any]:
    """Returns the Node as a kubelet on such a machine would register it: GPUs come with a device plugin."""
    sku = machine.sku
    capacity = {"cpu": str(sku.vcpus), "memory": f"{sku.ram_gib}Gi", "ephemeral-storage": "128Gi", "pods": "110"}
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": machine.name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": machine.name,
            "labels": labels | machine.labels,
            "annotations": {GPUS: str(machine.gpus)},
        },
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
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASES},
        "spec": spec,
    }


def _now_micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
