"""Whatever the API server does with a list or a watch, what is known becomes what is there, and no event is lost."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import EventType, Reflector, follow, observe
from tests.fakes.scripted_server import (
    BOOKMARK,
    DONE,
    ERROR_GONE,
    ERROR_WITHOUT_CODE,
    WITHIN_S,
    Answer,
    answered,
    event,
    listing,
    pod,
    refusal,
    served,
    watch,
)


async def heard(cluster: Cluster, until: set[tuple[EventType, str]]) -> list[tuple[EventType, str]]:
    """What is handed on, until all that is named has been."""
    found: list[tuple[EventType, str]] = []
    complete = asyncio.Event()

    async def sink(seen: EventType, item: Object) -> None:
        found.append((seen, item["metadata"]["name"]))
        if until <= set(found):
            complete.set()

    following = asyncio.create_task(follow(cluster, "Pod", sink))
    waiting = asyncio.create_task(complete.wait())
    try:
        await asyncio.wait([following, waiting], return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
    finally:
        for task in (following, waiting):
            task.cancel()
        await asyncio.gather(following, waiting, return_exceptions=True)
    return found


async def test_existing_objects_are_listed_and_later_events_are_watched() -> None:
    lines = (event("ADDED", pod("b", version=2)), event("MODIFIED", pod("a", version=3)), event("DELETED", pod("b")))
    async with served(listing(pod("a")), watch(*lines)) as (cluster, script):
        found = await heard(cluster, {(EventType.GONE, "b")})
    assert found == [(EventType.LISTED, "a"), (EventType.CHANGED, "b"), (EventType.CHANGED, "a"), (EventType.GONE, "b")]
    assert script.kinds == ["list", "1"]
    assert script.asked[1]["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize(
    "surprise",
    [
        watch(ERROR_GONE),
        refusal(410),
        watch(ERROR_WITHOUT_CODE),
        refusal(500),
        refusal(429),
        watch(breaks=True),
        watch(event("ADDED", pod("half"))[:30], breaks=True),
        watch(event("ADDED", pod("half"))[:30], plain=True),
        watch(event("ADDED", pod("half"))[:30], ends=True),
        watch(b"<html>too busy</html>\n", ends=True),
        watch(b"[]\n", ends=True),
        watch(b'{"type": "ADDED"}\n', ends=True),
        watch(b"[" * 100_000 + b"\n", ends=True),
    ],
    ids=["410 in the stream", "410", "error without a code", "500", "429", "broken off", "in the middle of a line",
         "the same without an end in HTTP", "the same with an end in HTTP", "a web page", "no object",
         "no object of an event", "nested without end"],
)  # fmt: skip
async def test_after_an_unexpected_event_all_is_relisted_and_missed_deletes_are_delivered(surprise: Answer) -> None:
    again = listing(pod("b", version=8), version=9)
    async with served(listing(pod("a")), surprise, again, watch(event("ADDED", pod("c")))) as (cluster, script):
        found = await heard(cluster, {(EventType.CHANGED, "c")})
    assert found == [(EventType.LISTED, "a"), (EventType.GONE, "a"), (EventType.LISTED, "b"), (EventType.CHANGED, "c")]
    assert script.kinds == ["list", "1", "list", "9"]


async def test_an_object_of_the_same_name_is_another_object() -> None:
    again = listing(pod("a", uid="second"), version=9)
    async with served(listing(pod("a", uid="first")), watch(ERROR_GONE), again, watch(DONE)) as (cluster, _):
        found = await heard(cluster, {(EventType.CHANGED, "done")})
    assert found[:3] == [(EventType.LISTED, "a"), (EventType.GONE, "a"), (EventType.LISTED, "a")]


async def test_a_bookmark_is_where_the_next_watch_begins() -> None:
    async def after_a_moment(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(BOOKMARK)
        return response

    async with served(listing(pod("a")), after_a_moment, watch(event("ADDED", pod("b")))) as (cluster, script):
        found = await heard(cluster, {(EventType.CHANGED, "b")})
    assert found == [(EventType.LISTED, "a"), (EventType.CHANGED, "b")]
    assert script.kinds == ["list", "1", "77"]


async def test_a_watch_that_breaks_off_after_an_event_goes_on_from_there() -> None:
    broken = watch(event("ADDED", pod("b", version=2)) + event("ADDED", pod("c", version=3))[:30], plain=True)
    async with served(listing(pod("a")), broken, watch(event("ADDED", pod("c", version=3)))) as (cluster, script):
        found = await heard(cluster, {(EventType.CHANGED, "c")})
    assert found == [(EventType.LISTED, "a"), (EventType.CHANGED, "b"), (EventType.CHANGED, "c")]
    assert script.kinds == ["list", "1", "2"]


async def test_a_watch_that_ends_in_time_without_events_goes_on_from_where_it_was() -> None:
    async def quiet(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(1.5)
        return response

    async with served(listing(version=5), quiet, watch(event("ADDED", pod("b")))) as (cluster, script):
        assert await heard(cluster, {(EventType.CHANGED, "b")}) == [(EventType.CHANGED, "b")]
    assert script.kinds == ["list", "5", "5"]


async def test_a_watch_that_ends_at_once_without_events_is_a_failure() -> None:
    """Such a server would be asked again and again. However slow this machine is, one watch is quick enough."""

    async def hasty(request: web.Request) -> web.StreamResponse:
        script.answers.append(hasty)
        return await (watch(ends=True) if "watch" in request.query else listing(pod("a")))(request)

    async with served(hasty) as (cluster, script):
        following = asyncio.create_task(heard(cluster, {(EventType.GONE, "never")}))
        while script.kinds.count("list") < 3:
            await asyncio.sleep(0.05)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_a_list_whose_next_page_has_expired_begins_again() -> None:
    pages = (listing(pod("a"), more="token"), refusal(410), listing(pod("a"), pod("b"), version=9))
    async with served(*pages) as (cluster, script):
        found = await heard(cluster, {(EventType.LISTED, "b")})
    assert found == [(EventType.LISTED, "a"), (EventType.LISTED, "b")]
    assert [sorted(query) for query in script.asked[:3]] == [["limit"], ["continue", "limit"], ["limit"]]


async def test_a_failed_list_is_retried_by_an_endless_watch() -> None:
    page: Answer = lambda request: answered(web.Response(text="<html>too busy</html>"))  # noqa: E731
    async with served(refusal(500), refusal(429), page, listing(pod("a"))) as (cluster, _):
        assert await heard(cluster, {(EventType.LISTED, "a")}) == [(EventType.LISTED, "a")]


async def test_a_failed_list_is_raised_to_a_waiting_caller() -> None:
    async with served(refusal(500)) as (cluster, _):
        with pytest.raises(ApiException, match="500"):
            await anext(observe(cluster, "Pod", selector="a=b", until=in_a_while()))


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_permanent_refusal_is_raised(status: int) -> None:
    async with served(listing(pod("a")), *[refusal(status)] * 2) as (cluster, _):
        with pytest.raises(ApiException, match=str(status)):
            await heard(cluster, {(EventType.GONE, "a")})


async def test_states_never_show_half_of_a_new_listing() -> None:
    again = listing(pod("b"), pod("c", version=8), version=9)
    looks = (listing(pod("a"), pod("b")), watch(ERROR_GONE), again, watch(event("DELETED", pod("b"))))
    async with served(*looks) as (cluster, _):
        observed = observe(cluster, "Pod", "default", selector="", until=in_a_while())
        async with aclosing(observed):
            names = [sorted(await anext(observed)) for _ in range(3)]
    assert names == [["a", "b"], ["b", "c"], ["c"]]


async def test_states_end_with_the_deadline() -> None:
    async with served(listing(pod("a"))) as (cluster, _):
        until = datetime.now(UTC) + timedelta(seconds=0.5)
        assert [state async for state in observe(cluster, "Pod", selector="", until=until)]


async def test_only_what_is_kept_is_known() -> None:
    def versions_of_a(item: Object) -> str | None:
        return item["metadata"]["resourceVersion"] if item["metadata"]["name"] == "a" else None

    lines = (event("MODIFIED", pod("a", version=2)), event("ADDED", pod("b")), event("DELETED", pod("a", version=3)))
    async with served(listing(pod("a"), pod("b")), watch(*lines)) as (cluster, _):
        reflector: Reflector[str] = Reflector(cluster, "Pod", keep=versions_of_a)
        seen: list[Any] = []
        async for changes in reflector.changes():
            seen += [(change.before, change.now) for change in changes]
            if len(seen) == 5:
                break
    assert seen == [(None, "1"), (None, None), ("1", "2"), (None, None), ("2", None)]
    assert reflector.known == {}


def in_a_while() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=WITHIN_S)


async def test_an_event_may_be_as_large_as_an_object_may_be() -> None:
    large = pod("b", version=2) | {"data": "x" * 3_000_000}
    async with served(listing(pod("a")), watch(event("ADDED", large), DONE)) as (cluster, script):
        found = await heard(cluster, {(EventType.CHANGED, "done")})
    assert found == [(EventType.LISTED, "a"), (EventType.CHANGED, "b"), (EventType.CHANGED, "done")]
    assert script.kinds == ["list", "1"]
