"""GPUs of simulated nodes: a node shows its machine's only while a device plugin's pod is bound to it, as real ones do.

A plugin is a pod of a DaemonSet that mounts the kubelet's folder for plugins, whoever's it is. Nothing runs in it here,
so it counts from the moment at which it has a node. Machines without working GPUs are left as they are.
"""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster
from activities.clients.watch import EventType, follow

GPU: Final = "nvidia.com/gpu"
OF_DAEMON_SETS: Final = "controller-revision-hash"
"""A label that Kubernetes gives every pod of a DaemonSet, and of few others."""
FOLDER: Final = "/kubelet/device-plugins"
AGAIN_S: Final = 1.0
_ENDED: Final = ("Succeeded", "Failed")
log = logging.getLogger(__name__)


@dataclass
class _Machine:
    """One that is back under its name is another one: what is still being written for the one before says nothing."""

    gpus: int
    shown: bool


class ShownGpus:
    """Writes the GPUs of known machines into their nodes' status, and takes them out."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._machines: dict[str, _Machine] = {}
        self._plugins: defaultdict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
        self._to_write: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        """Follows the plugins' pods until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self._cluster, "Pod", self._seen, selector=OF_DAEMON_SETS))
            group.create_task(self._write())

    def joined(self, node: str, gpus: int, *, shown: bool) -> None:
        """A machine with GPUs has a node now; `shown`: which shows them, as an emulator of before has written."""
        self._machines[node] = _Machine(gpus, shown)
        self._to_write.put_nowait(node)

    async def left(self, node: str) -> None:
        """The machine is gone, and what ran on it. Raises what the API server raises."""
        self._machines.pop(node, None)
        for namespace, name in self._plugins.pop(node, {}).values():
            await self._cluster.delete("Pod", name, namespace, grace_s=0)

    async def _seen(self, seen: EventType, pod: dict[str, Any]) -> None:
        node, uid = pod["spec"].get("nodeName"), pod["metadata"]["uid"]
        if not node or not _is_plugin(pod):
            return
        if seen is EventType.GONE or _is_over(pod):
            self._plugins[node].pop(uid, None)
        else:
            self._plugins[node][uid] = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._to_write.put_nowait(node)

    async def _write(self) -> None:
        while True:
            node = await self._to_write.get()
            machine, wanted = self._machines.get(node), bool(self._plugins.get(node))
            if machine is None or wanted == machine.shown or not machine.gpus:
                continue
            amount = {GPU: str(machine.gpus) if wanted else None}
            try:
                status = {"status": {"capacity": amount, "allocatable": amount}}
                await self._cluster.merge("Node", node, None, status, subresource="status")
            except REQUEST_ERRORS as refused:
                log.warning("GPUs of %s not written: %s", node, refused)
                asyncio.get_running_loop().call_later(AGAIN_S, self._to_write.put_nowait, node)
                continue
            machine.shown = wanted


def _is_plugin(pod: dict[str, Any]) -> bool:
    folders = [(volume.get("hostPath") or {}).get("path", "") for volume in pod["spec"].get("volumes") or ()]
    return any(folder.rstrip("/").endswith(FOLDER) for folder in folders)


def _is_over(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") in _ENDED
