"""However many wait, each kind is listed and watched once; every wait sees what concerns it, and learns of failures."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.view import shared_watch
from activities.clients.view.cluster_view import ClusterView, Looks, Sight
from activities.clients.view.watched import NODES, PODS
from api import labels
from tests.fakes.scripted_server import (
    ERROR_GONE,
    WITHIN_S,
    Answer,
    event,
    listing,
    pod,
    refusal,
    served,
    watch,
)

Condition = Callable[[Sight], bool]


def of(workspace: str, name: str, version: int = 1) -> Object:
    return pod(name, version=version, **{labels.WORKSPACE_UID: workspace})


def looks(view: ClusterView, workspace: str = "a", within_s: float = WITHIN_S) -> Looks:
    until = datetime.now(UTC) + timedelta(seconds=within_s)
    return view.observe(PODS, "default", selector=f"{labels.WORKSPACE_UID}={workspace}", until=until)


async def look_until(looking: Looks, *names: str) -> list[list[str]]:
    """What every look has shown until these are there and no others."""
    seen = []
    async with looking:
        async for sight in looking:
            seen.append(sorted(sight.objects))
            if seen[-1] == sorted(names):
                return seen
    raise TimeoutError(f"{sorted(names)} were not seen: {seen}")


def waiting(looking: Looks, *names: str) -> "asyncio.Task[list[list[str]]]":
    return asyncio.create_task(look_until(looking, *names))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


async def refused(cluster: Cluster, count: int = 5) -> list[int]:
    """The statuses that as many waits on one view end with."""
    view = ClusterView(cluster)
    ends = await asyncio.gather(*(look_until(looks(view, f"w{i}")) for i in range(count)), return_exceptions=True)
    await view.close()
    assert all(isinstance(end, ApiException) for end in ends), ends
    return [end.status for end in ends if isinstance(end, ApiException)]


async def test_two_hundred_waits_cost_one_list_and_one_watch() -> None:
    lines = [event("ADDED", of(f"w{i}", f"pod-{i}", version=i + 2)) for i in range(200)]
    async with served(listing(), watch(*lines)) as (cluster, script):
        view = ClusterView(cluster)
        waits = [waiting(looks(view, f"w{i}"), f"pod-{i}") for i in range(200)]
        seen = await asyncio.gather(*waits)
        await view.close()
    assert script.kinds == ["list", "1"]
    assert {query["labelSelector"] for query in script.asked} == {labels.WORKSPACE_UID}
    assert all(len(looks) <= 2 for looks in seen), "a wait was woken by what does not concern it"


async def test_each_kind_has_a_view_of_its_own() -> None:
    async with served(listing(of("a", "one")), watch(), listing(of("a", "one")), watch()) as (cluster, script):
        view = ClusterView(cluster)
        await look_until(looks(view), "one")
        await until(lambda: len(script.asked) == 2)
        assert list(await view.now(NODES, selector=f"{labels.WORKSPACE_UID}=a")) == ["default/one"]
        await until(lambda: len(script.asked) == 4)
        await view.close()


async def test_a_wait_on_a_view_that_runs_sees_what_is_there_without_a_request() -> None:
    async with served(listing(of("a", "one"), of("b", "two"))) as (cluster, script):
        view = ClusterView(cluster)
        await look_until(looks(view), "one")
        await until(lambda: len(script.asked) == 2)
        assert await look_until(looks(view, "b"), "two") == [["two"]]
        assert script.kinds == ["list", "1"]
        await view.close()


@pytest.mark.parametrize("surprise", [watch(ERROR_GONE), refusal(410), refusal(500), watch(breaks=True)])
async def test_waits_go_on_after_a_new_listing_and_see_what_was_missed(surprise: Answer) -> None:
    again = listing(of("b", "two"), version=9)
    done = watch(event("ADDED", of("a", "three", version=10)))
    async with served(listing(of("a", "one")), surprise, again, done) as (cluster, script):
        view = ClusterView(cluster)
        seen, _ = await asyncio.gather(look_until(looks(view), "three"), look_until(looks(view, "b"), "two"))
        await view.close()
    assert seen == [["one"], [], ["three"]]
    assert script.kinds == ["list", "1", "list", "9"]


async def test_a_connection_that_breaks_in_the_middle_of_an_event_is_resumed_after_the_last_whole_one() -> None:
    half = watch(event("ADDED", of("a", "one", version=2)) + event("ADDED", of("a", "two", version=3))[:40], plain=True)
    rest = watch(event("ADDED", of("a", "two", version=3)))
    async with served(listing(), half, rest) as (cluster, script):
        view = ClusterView(cluster)
        seen = await look_until(looks(view), "one", "two")
        await view.close()
    assert seen[-2:] == [["one"], ["one", "two"]]
    assert script.kinds == ["list", "1", "2"]


@pytest.mark.parametrize("status", [403, 404])
async def test_what_a_starting_server_refuses_is_passing_and_the_next_wait_tries_again(status: int) -> None:
    async with served(refusal(status), listing(of("a", "one"))) as (cluster, script):
        script.ready = False
        assert await refused(cluster) == [503] * 5
        script.ready = True
        view = ClusterView(cluster)
        await look_until(looks(view), "one")
        await view.close()


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_every_wait_is_told_of_a_refusal_and_one_request_is_enough(status: int) -> None:
    async with served(*[refusal(status)] * 2) as (cluster, script):
        assert await refused(cluster) == [status] * 5
    assert len(script.asked) == (2 if status == 403 else 1), "a 403 counts if a server that is ready repeats it"


async def test_a_view_that_failed_starts_again_with_the_next_wait() -> None:
    async with served(listing(), refusal(500), refusal(429), listing(of("a", "one"))) as (cluster, script):
        view = ClusterView(cluster)
        with pytest.raises(ApiException, match="429"):
            await look_until(looks(view), "one")
        assert await look_until(looks(view), "one") == [["one"]]
        await until(lambda: script.kinds == ["list", "1", "list", "list", "1"])
        await view.close()


async def test_a_wait_that_is_cancelled_leaves_the_others() -> None:
    may_go_on = asyncio.Event()

    async def later(request: web.Request) -> web.StreamResponse:
        await may_go_on.wait()
        return await watch(event("ADDED", of("a", "one", version=2)))(request)

    async with served(listing(), later) as (cluster, script):
        view = ClusterView(cluster)
        first, second = waiting(looks(view), "one"), waiting(looks(view), "one")
        await until(lambda: len(script.asked) == 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        may_go_on.set()
        assert await second == [[], ["one"]]
        await view.close()
    assert script.kinds == ["list", "1"]


async def test_a_view_without_waits_stops_and_keeps_nothing() -> None:
    async with served(listing(of("a", "one")), watch(), listing(of("a", "two"))) as (cluster, script):
        view = ClusterView(cluster, idle_s=0.0)
        async with looks(view):
            await until(lambda: len(script.asked) == 2)
        await until(lambda: not view.running)
        assert await look_until(looks(view), "two") == [["two"]]
        assert script.kinds.count("list") == 2
        await view.close()
        assert not view.running


async def test_a_view_that_has_heard_nothing_for_long_is_listed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(listing(of("a", "one")), watch(), listing(of("a", "two"))) as (cluster, script):
        view = ClusterView(cluster)
        await look_until(looks(view), "one")
        await until(lambda: len(script.asked) == 2)
        for limit in ("SILENCE_S", "RENEW_S"):
            monkeypatch.setattr(shared_watch, limit, 0.0)
        assert await look_until(looks(view), "two") == [["two"]]
        await view.close()


async def test_a_wait_on_a_view_that_hears_nothing_more_is_shown_a_new_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_watch, "CHECK_S", 0.1)
    monkeypatch.setattr(shared_watch, "SILENCE_S", 1.0)
    async with served(listing(of("a", "one")), watch(), listing(of("a", "two"))) as (cluster, _):
        view = ClusterView(cluster)
        assert await look_until(looks(view), "two") == [["one"], ["two"]]
        await view.close()


async def test_looks_end_with_the_deadline() -> None:
    async with served(listing(of("a", "one"))) as (cluster, _):
        view = ClusterView(cluster)
        async with looks(view, within_s=1.0) as looking:
            assert [sorted(sight.objects) async for sight in looking] == [["one"]]
        await view.close()


async def test_looks_are_repeated_without_a_change_where_that_is_wanted() -> None:
    async with served(listing(of("a", "one"))) as (cluster, _):
        view = ClusterView(cluster)
        async with looks(view) as looking:
            looking.again_s = 0.01
            assert [sorted((await anext(looking)).objects) for _ in range(3)] == [["one"]] * 3
        await view.close()


async def test_a_fault_of_ours_ends_the_waits_too() -> None:
    async with served(listing({"metadata": {"name": "without a uid"}})) as (cluster, _):
        view = ClusterView(cluster)
        with pytest.raises(KeyError):
            await look_until(looks(view), "one")
        await view.close()
