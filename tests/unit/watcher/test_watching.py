"""What a followed collection hands on: everything that is there, every change, and what went while nobody looked."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.kubernetes_api import Object
from tests.fakes.cluster import FakeCluster
from tests.harness.deadlines import PATIENCE_S
from watcher.watching import Collection, Seen

LISTED, CHANGED, GONE = Seen.LISTED, Seen.CHANGED, Seen.GONE


def a_config_map(name: str, value: str = "") -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"value": value}}


class Following:
    """What was handed on, in order: how, and of what."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.seen: list[tuple[Seen, str]] = []
        self._heard = asyncio.Condition()
        self.collection = Collection(cluster, "ConfigMap", self._hear)
        self.task = asyncio.create_task(self.collection.follow())

    async def _hear(self, how: Seen, item: Object) -> None:
        async with self._heard:
            self.seen.append((how, item["metadata"]["name"]))
            self._heard.notify_all()

    async def until(self, expected: list[tuple[Seen, str]]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._heard:
            await self._heard.wait_for(lambda: len(self.seen) >= len(expected))
        assert self.seen == expected


Follow = Callable[[FakeCluster], Following]


@pytest.fixture
async def follow() -> AsyncIterator[Follow]:
    started: list[Following] = []

    def start(cluster: FakeCluster) -> Following:
        started.append(Following(cluster))
        return started[-1]

    yield start
    for one in started:
        one.task.cancel()
    await asyncio.gather(*(one.task for one in started), return_exceptions=True)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(ConfigMap=[a_config_map("one"), a_config_map("two")])


async def test_what_is_there_is_listed_and_every_change_follows(cluster: FakeCluster, follow: Follow) -> None:
    following = follow(cluster)
    await following.until([(LISTED, "one"), (LISTED, "two")])
    await cluster.put("ConfigMap", a_config_map("three"))
    await cluster.put("ConfigMap", a_config_map("one", "new"))
    await cluster.delete("ConfigMap", "two", "default")
    await following.until([(LISTED, "one"), (LISTED, "two"), (CHANGED, "three"), (CHANGED, "one"), (GONE, "two")])
    assert following.collection.listings == 1


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(ApiException(status=410, reason="Expired"), id="the version is too old"),
        pytest.param(ApiException(status=500, reason="etcd"), id="the server has trouble"),
        pytest.param(aiohttp.ClientConnectionError("lost"), id="the connection is lost"),
    ],
)
async def test_what_went_while_nobody_looked_is_handed_on_as_gone(
    cluster: FakeCluster, follow: Follow, trouble: Exception
) -> None:
    following = follow(cluster)
    await following.until([(LISTED, "one"), (LISTED, "two")])
    cluster.lose("ConfigMap", "one", "default")
    await cluster.break_watches(trouble)
    await following.until([(LISTED, "one"), (LISTED, "two"), (GONE, "one"), (LISTED, "two")])
    assert following.collection.listings == 2


async def test_a_server_that_does_not_answer_at_first_is_asked_again(cluster: FakeCluster, follow: Follow) -> None:
    cluster.fail_next("list_all", aiohttp.ClientConnectionError("refused"), TimeoutError())
    following = follow(cluster)
    await following.until([(LISTED, "one"), (LISTED, "two")])
    assert cluster.calls["list_all", "ConfigMap"] == 3


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_no_repeat_can_mend_is_raised(cluster: FakeCluster, follow: Follow, status: int) -> None:
    cluster.fail_next("list_all", ApiException(status=status))
    following = follow(cluster)
    with pytest.raises(ApiException) as refused:
        await asyncio.wait_for(following.task, PATIENCE_S)
    assert refused.value.status == status and following.seen == []


async def test_a_bookmark_is_no_change(cluster: FakeCluster, follow: Follow) -> None:
    following = follow(cluster)
    await following.until([(LISTED, "one"), (LISTED, "two")])
    await cluster.bookmark("ConfigMap")
    await cluster.put("ConfigMap", a_config_map("one", "new"))
    await following.until([(LISTED, "one"), (LISTED, "two"), (CHANGED, "one")])


async def test_only_what_is_to_be_kept_is_kept_and_handed_on_when_it_is_gone(cluster: FakeCluster) -> None:
    gone: list[Object] = []
    over = asyncio.Event()

    async def sink(how: Seen, item: Object) -> None:
        if how is GONE:
            gone.append(item)
            over.set()

    small = Collection(cluster, "ConfigMap", sink, keep=lambda item: {"metadata": {"name": item["metadata"]["name"]}})
    following = asyncio.create_task(small.follow())
    await asyncio.wait_for(small.synced.wait(), PATIENCE_S)
    cluster.lose("ConfigMap", "one", "default")
    await cluster.break_watches(ApiException(status=410))
    await asyncio.wait_for(over.wait(), PATIENCE_S)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert gone == [{"metadata": {"name": "one"}}]
