"""Whatever changes, goes unnoticed or breaks: in the end every wait sees what is there, and nothing else."""

import asyncio
import random

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import PODS
from api import labels
from testing.deadlines import PATIENCE_S
from tests.fakes.cluster import FakeCluster

WORKSPACES = [f"w{number}" for number in range(4)]
STEPS = 150


def pod(name: str, workspace: str, phase: str) -> Object:
    own = {labels.WORKSPACE_UID: workspace}
    return {"metadata": {"name": name, "namespace": "default", "labels": own}, "status": {"phase": phase}}


async def step(cluster: FakeCluster, chance: random.Random, number: int) -> None:
    """One change: mostly seen, sometimes not, and sometimes the watch breaks instead."""
    there, kind = cluster.names("Pod"), chance.random()
    if kind < 0.1:
        errors = [ApiException(status=410), ApiException(status=500), aiohttp.ServerDisconnectedError()]
        await cluster.break_watches(chance.choice(errors))
    elif kind < 0.15:
        await cluster.bookmark("Pod")
    elif kind < 0.3 and there:
        await cluster.delete("Pod", chance.choice(there), "default")
    elif kind < 0.4 and there:
        cluster.lose("Pod", chance.choice(there), "default")
    else:
        name = chance.choice(there) if there and kind < 0.7 else f"pod-{number}"
        await cluster.put("Pod", pod(name, chance.choice(WORKSPACES), chance.choice(["Pending", "Running"])))
    if chance.random() < 0.3:
        await asyncio.sleep(0)


async def truth(cluster: FakeCluster, workspace: str) -> dict[str, str]:
    found, _ = await cluster.list_all("Pod", "default", selector=f"{labels.WORKSPACE_UID}={workspace}")
    return {item["metadata"]["name"]: item["status"]["phase"] for item in found}


@pytest.mark.parametrize("seed", range(5))
async def test_every_wait_ends_with_what_is_there(seed: int) -> None:
    chance, cluster = random.Random(seed), FakeCluster()
    view, complete = ClusterView(cluster), asyncio.Event()

    async def agree(workspace: str) -> None:
        selector = f"{labels.WORKSPACE_UID}={workspace}"
        async with view.observe(PODS, "default", selector=selector, until=None) as looks:
            looks.again_s = 0.05
            async for sight in looks:
                seen = {name: item["status"]["phase"] for name, item in sight.objects.items()}
                if complete.is_set() and seen == await truth(cluster, workspace):
                    return

    async with asyncio.timeout(PATIENCE_S):
        waits = [asyncio.create_task(agree(workspace)) for workspace in WORKSPACES for _ in range(3)]
        for number in range(STEPS):
            await step(cluster, chance, number)
        await cluster.break_watches(ApiException(status=410))
        complete.set()
        await asyncio.gather(*waits)
    await view.close()
