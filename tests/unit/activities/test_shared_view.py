"""However many wait, each kind is listed and watched once; every wait sees what concerns it, and learns of failures."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView, Looks, Sight
from activities.clients.view.watched import NODES, PODS
from api import labels
from testing.deadlines import PATIENCE_S
from tests.fakes.cluster import FakeCluster

Condition = Callable[[Sight], bool]


def owned(name: str, workspace: str = "a", **more: object) -> Object:
    own = {labels.WORKSPACE_UID: workspace}
    return {"metadata": {"name": name, "namespace": "default", "labels": own}, **more}


def looks(view: ClusterView, workspace: str = "a", *, within: timedelta | None = None) -> Looks:
    until = datetime.now(UTC) + (within or timedelta(seconds=PATIENCE_S))
    return view.observe(PODS, "default", selector=f"{labels.WORKSPACE_UID}={workspace}", until=until)


async def once(looks: Looks, condition: Condition) -> list[list[str]]:
    """The names of every look until one satisfies the condition. Raises TimeoutError if none does."""
    seen = []
    async with looks:
        async for sight in looks:
            seen.append(sorted(sight.objects))
            if condition(sight):
                return seen
    raise TimeoutError(f"seen: {seen}")


def shows(*names: str) -> Condition:
    return lambda sight: sorted(sight.objects) == sorted(names)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def asked(cluster: FakeCluster, kind: str = "Pod") -> tuple[int, int]:
    """How often it was listed and watched."""
    return cluster.calls["list_all", kind], cluster.calls["watch", kind]


async def test_two_hundred_waits_of_two_kinds_cost_a_list_and_a_watch_each() -> None:
    cluster = FakeCluster()
    view = ClusterView(cluster)
    waits = [asyncio.create_task(once(looks(view, f"w{i}"), shows(f"pod-{i}"))) for i in range(200)]
    for i in range(200):
        nodes = view.observe(NODES, selector=f"{labels.WORKSPACE_UID}=w{i}", until=None)
        waits.append(asyncio.create_task(once(nodes, shows(f"node-{i}"))))
    await until(lambda: asked(cluster) == asked(cluster, "Node") == (1, 1))
    for i in range(200):
        await cluster.put("Pod", owned(f"pod-{i}", f"w{i}"))
        await cluster.put("Node", {"metadata": {"name": f"node-{i}", "labels": {labels.WORKSPACE_UID: f"w{i}"}}})
    async with asyncio.timeout(PATIENCE_S):
        seen = await asyncio.gather(*waits)
    assert asked(cluster) == asked(cluster, "Node") == (1, 1)
    assert all(len(looks) <= 2 for looks in seen), "a wait was woken by what does not concern it"
    await view.close()
