"""A wait beside a watch of its nodes: a loss ends it with a reason, and nothing else about the watch does."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException
from temporalio.exceptions import ApplicationError

from activities.clients.view.cluster_view import ClusterView
from activities.contract.nodes import NodesHeld
from activities.heartbeat import heartbeating
from activities.nodes import losses
from activities.nodes.losses import while_nodes_ready
from api import labels
from testing.deadlines import PATIENCE_S
from tests.builders import UID, a_plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.nodes import a_node
from tests.integration.nodes.attempts import Attempt

HELD = NodesHeld.of(a_plan(), ["n1"])


class Work:
    """A wait that goes on until it is told to end."""

    def __init__(self, cluster: FakeCluster, held: NodesHeld | None = HELD) -> None:
        self.cluster, self.ends = cluster, asyncio.Event()
        self._view = ClusterView(cluster)
        self.attempt = Attempt(self._wait, held)

    async def _wait(self, held: NodesHeld | None) -> str:
        async with heartbeating(), while_nodes_ready(self._view, held):
            await self.ends.wait()
            return "done"

    async def watched(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not self.cluster.calls["watch", "Node"]:
                await asyncio.sleep(0.01)

    async def end(self) -> Any:
        return await asyncio.wait_for(self.attempt.task, PATIENCE_S)


def ready_node() -> FakeCluster:
    return FakeCluster(Node=a_node("n1", labels={labels.WORKSPACE_UID: UID}))


async def test_a_wait_that_ends_takes_its_watch_with_it() -> None:
    work = Work(ready_node())
    await work.watched()
    work.ends.set()
    assert await work.end() == "done"


async def test_a_loss_ends_the_wait_and_names_the_node() -> None:
    work = Work(ready_node())
    await work.watched()
    await work.cluster.delete("Node", "n1")
    with pytest.raises(ApplicationError, match="no longer ready: n1") as lost:
        await work.end()
    assert (lost.value.type, lost.value.details, lost.value.non_retryable) == ("NodeLost", ({"names": ["n1"]},), True)


async def test_without_nodes_nothing_is_watched() -> None:
    work = Work(FakeCluster(), held=None)
    work.ends.set()
    assert await work.end() == "done" and not work.cluster.calls


@pytest.mark.parametrize("how", ["cancelled", "drained"])
async def test_a_cancellation_is_no_loss(how: str) -> None:
    work = Work(ready_node())
    await work.watched()
    ended: Coroutine[Any, Any, Any] = getattr(work.attempt, how)()
    await ended


async def test_a_watch_that_cannot_be_had_leaves_the_wait_alone_and_begins_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(losses, "WATCH_AGAIN_S", 0.01)
    cluster = ready_node()
    cluster.fail_next("list_all", *[ApiException(status=403, reason="nodes may not be watched")] * 2)
    work = Work(cluster)
    await work.watched()
    assert not work.attempt.task.done()
    await cluster.delete("Node", "n1")
    with pytest.raises(ApplicationError, match="no longer ready"):
        await work.end()
