"""Machines that are real nodes of the local stack: containerd and a kubelet each, in namespaces of their own.

`deploy.local.nodes.node` starts and stops them; its calls block, so they run in threads.
"""

import asyncio
import logging

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster
from deploy.local.azure.nodes.draining import empty_node, forget_node
from deploy.local.azure.nodes.machines import Machine, MachineFailed
from deploy.local.layout import Layout
from deploy.local.network.nodes import NodeSpec
from deploy.local.nodes import node

log = logging.getLogger(__name__)


class Kubelets:
    """The nodes of one layout that agent pools have started. Failures in `deploy.local` are RuntimeErrors."""

    _cluster: Cluster  # from `open` on

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def open(self) -> None:
        self._cluster = await Cluster.connect(str(self._layout.admin_kubeconfig), direct=True)

    async def close(self) -> None:
        await self._cluster.close()

    async def start(self, machine: Machine) -> None:
        spec = NodeSpec(
            name=machine.name,
            labels=machine.labels,
            taints=machine.taints,
            gpus=machine.gpus,
            provider_id=machine.provider_id,
        )
        try:
            await asyncio.to_thread(node.start_node, self._layout, spec)
        except RuntimeError as failed:
            raise MachineFailed(f"{machine.name} did not start: {failed}") from failed

    async def remove(self, pool: str, name: str, *, drain_seconds: float) -> None:
        try:
            for left in await empty_node(self._cluster, name, drain_seconds):
                log.warning("pod %s goes with node %s: no eviction within %.0f s", left, name, drain_seconds)
            await asyncio.to_thread(node.stop_node, self._layout, name)
            await forget_node(self._cluster, name)
        except (RuntimeError, *REQUEST_ERRORS) as failed:
            raise MachineFailed(f"{name} was not removed: {failed}") from failed

    async def present(self, pool: str) -> list[str]:
        names = await asyncio.to_thread(node.list_nodes, self._layout)
        return sorted(name for name in names if name.startswith(f"aks-{pool}-"))
