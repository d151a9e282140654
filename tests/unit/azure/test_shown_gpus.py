"""A simulated node shows its GPUs while a plugin's pod is on it, also one that comes back under its name."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from activities.clients.kubernetes import Object
from deploy.local.azure.nodes.shown_gpus import GPU, OF_DAEMON_SETS, ShownGpus
from testing.deadlines import PATIENCE_S
from tests.fakes.cluster import FakeCluster

NODE = "own-1"


class SlowCluster(FakeCluster):
    """Its answers to a merge come when `answering` is set; a merge into nothing does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.answering = asyncio.Event()
        self.asked, self.answered = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def merge(
        self, kind: str, name: str, namespace: str | None, change: Object, *, subresource: str = ""
    ) -> bool:
        found = await self.get(kind, name)
        if found is not None:
            found["status"] = change["status"]
            await self.put(kind, found)
        self.asked.release()
        await self.answering.wait()
        self.answered.release()
        return found is not None

    async def show(self) -> int:
        """Returns the GPUs that the node shows."""
        found = await self.get("Node", NODE) or {}
        return int(found.get("status", {}).get("allocatable", {}).get(GPU) or 0)


def a_plugin(uid: str) -> Object:
    folder = {"name": "plugins", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}
    metadata = {"name": f"plugin-{uid}", "namespace": "gpus", "uid": uid, "labels": {OF_DAEMON_SETS: "1"}}
    return {"metadata": metadata, "spec": {"nodeName": NODE, "volumes": [folder]}, "status": {"phase": "Running"}}


@pytest.fixture
async def cluster() -> SlowCluster:
    return SlowCluster()


@pytest.fixture
async def gpus(cluster: SlowCluster) -> AsyncIterator[ShownGpus]:
    shown = ShownGpus(cluster)
    running = asyncio.create_task(shown.run())
    yield shown
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def joined(cluster: SlowCluster, gpus: ShownGpus) -> None:
    """The machine has a node, which shows nothing yet."""
    await cluster.put("Node", {"metadata": {"name": NODE, "uid": "n"}, "status": {}})
    gpus.joined(NODE, 1, shown=False)


async def until_shown(cluster: SlowCluster, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await cluster.show() != wanted:
            await asyncio.sleep(0.01)


async def test_a_node_shows_gpus_while_a_plugin_is_on_it(cluster: SlowCluster, gpus: ShownGpus) -> None:
    cluster.answering.set()
    await joined(cluster, gpus)
    await cluster.put("Pod", a_plugin("p"))
    await until_shown(cluster, 1)
    await cluster.delete("Pod", "plugin-p", "gpus")
    await until_shown(cluster, 0)


@pytest.mark.parametrize("answered", ["before it is back", "after it is back"])
async def test_a_node_that_is_back_shows_its_gpus_whatever_was_written_when_it_went(
    cluster: SlowCluster, gpus: ShownGpus, answered: str
) -> None:
    await joined(cluster, gpus)
    await cluster.put("Pod", a_plugin("p"))
    async with asyncio.timeout(PATIENCE_S):
        await cluster.asked.acquire()  # its answer is under way while the node goes
    await cluster.delete("Node", NODE)
    await gpus.left(NODE)
    if answered == "before it is back":
        cluster.answering.set()
        async with asyncio.timeout(PATIENCE_S):
            await cluster.answered.acquire()
    await joined(cluster, gpus)
    cluster.answering.set()
    await cluster.put("Pod", a_plugin("q"))
    await until_shown(cluster, 1)
