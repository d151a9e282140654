"""Follows a set of Kubernetes objects: lists once, watches from there, and lists again when the API server requires it.

Works like client-go's Reflector. A watch that breaks off after an event goes on from that event. Losing the connection,
or events, costs a delay and never a change: every listing returns all objects, and objects missing from it are reported
as gone. Decides nothing about the objects.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import EXPIRED, REQUEST_ERRORS, Cluster, Object

log = logging.getLogger(__name__)

WATCH_S: Final = 240
"""API servers close watches after five minutes or more; ending sooner detects a dead connection."""
SHORTEST_WATCH_S: Final = 1.0
"""A watch that ends sooner and without any event is a failure, as in client-go: it would be restarted at once."""
PAUSES_S: Final = (0.2, 1.0, 2.0, 5.0)
"""Delays after consecutive failures; the last one repeats."""
REFUSED: Final = (401, 403, 404)
"""Statuses that a retry cannot fix."""

Collection = dict[str, Object]
"""Objects by name."""
Kept = TypeVar("Kept")


class EventType(StrEnum):
    """How a change was detected."""

    LISTED = "listed"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True)
class Change(Generic[Kept]):
    """`item` is the object, None if a listing no longer has it; `before` and `now` are what is kept of it."""

    seen: EventType
    item: Object | None
    before: Kept | None
    now: Kept | None


class Reflector(Generic[Kept]):
    """`known` maps each uid to what `keep` returns for the object's last state; objects for which it returns None are
    left out. `shorten` is applied to a listing's objects as they arrive, so that never all of them are held whole.
    `heard` is when (time.monotonic) the API server last sent something, or was asked for a listing."""

    def __init__(
        self,
        cluster: Cluster,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        keep: Callable[[Object], Kept | None],
        shorten: Callable[[Object], Object | None] | None = None,
    ) -> None:
        self.known: dict[str, Kept] = {}
        self.heard = -math.inf
        self._cluster, self._kind, self._namespace, self._selector = cluster, kind, namespace, selector
        self._keep, self._shorten = keep, shorten
        self._version = ""
        self._failures = 0
        self._received = False

    async def changes(
        self, until: datetime | None = None, *, insist: bool = False
    ) -> AsyncGenerator[deque[Change[Kept]], None]:
        """Yields a listing's objects all at once, then each event by itself; without end, or until the deadline passes.

        `known` is up to date with each. Empty the yielded deque if memory matters: a listing holds all objects. Raises
        ApiException for a refusal that a retry cannot fix, and for any listing that fails, unless `insist`.
        """
        going_on = False
        while _left(until) > 0:
            listed = going_on
            try:
                if not going_on:
                    first = await self._list()
                    listed = True
                    yield first
                    del first
                going_on = False
                async for change in self._watch(until):
                    yield deque((change,))
            except REQUEST_ERRORS as error:
                status = error.status if isinstance(error, ApiException) else None
                if status in REFUSED or not (listed or insist):
                    raise
                going_on = self._received and not isinstance(error, ApiException)
                await self._pause(error, at_once=status == EXPIRED)

    async def _pause(self, error: Exception, at_once: bool) -> None:
        self._failures += 1
        cause = f"{error.status} {error.reason}" if isinstance(error, ApiException) else repr(error)
        log.info("following %s again: %s", self._kind, cause)
        if not at_once or self._failures > 1:
            await asyncio.sleep(PAUSES_S[min(self._failures, len(PAUSES_S)) - 1])

    async def _list(self) -> deque[Change[Kept]]:
        asked, self._received = time.monotonic(), False
        items, version = await self._cluster.list_all(
            self._kind, self._namespace, selector=self._selector, keep=self._shorten
        )
        there = {item["metadata"]["uid"] for item in items}
        lost = [uid for uid in self.known if uid not in there]
        found = deque(Change(EventType.GONE, None, self.known.pop(uid), None) for uid in lost)
        found.extend(self._noted(EventType.LISTED, item) for item in items)
        self._version, self.heard = version, asked
        return found

    async def _watch(self, until: datetime | None) -> AsyncIterator[Change[Kept]]:
        while (left := _left(until)) > 0:
            began, self._received = time.monotonic(), False
            events = self._cluster.watch(
                self._kind,
                self._namespace,
                selector=self._selector,
                since=self._version,
                seconds=math.ceil(min(WATCH_S, left)),
            )
            async for kind, item in events:
                self._received, self.heard = True, time.monotonic()
                self._version, self._failures = item["metadata"]["resourceVersion"], 0
                if kind != "BOOKMARK":
                    yield self._noted(EventType.GONE if kind == "DELETED" else EventType.CHANGED, item)
            if not self._received and time.monotonic() - began < SHORTEST_WATCH_S:
                raise aiohttp.ServerDisconnectedError("the watch ended at once")
            self._failures = 0

    def _noted(self, seen: EventType, item: Object) -> Change[Kept]:
        uid = item["metadata"]["uid"]
        before, now = self.known.pop(uid, None), None if seen is EventType.GONE else self._keep(item)
        if now is not None:
            self.known[uid] = now
        return Change(seen, item, before, now)


async def observe(
    cluster: Cluster, kind: str, namespace: str | None = None, *, selector: str, until: datetime
) -> AsyncGenerator[Collection, None]:
    """Yields the set now and after every change, so that a caller evaluates states and never events.

    Ends when the deadline passes. Raises what a Reflector raises.
    """
    reflector = Reflector(cluster, kind, namespace, selector=selector, keep=_whole)
    async for _ in reflector.changes(until):
        yield {item["metadata"]["name"]: item for item in reflector.known.values()}


async def follow(
    cluster: Cluster,
    kind: str,
    sink: Callable[[EventType, Object], Awaitable[None]],
    *,
    selector: str = "",
    keep: Callable[[Object], Object] = lambda item: item,
) -> None:
    """Passes every object to `sink` at every change: whole from the watch, what `keep` returned of it from a listing,
    also once a listing lacks it. `keep` of what it has returned is the same again.

    Runs until it is cancelled. Raises ApiException for a refusal that a retry cannot fix.
    """
    reflector = Reflector(cluster, kind, selector=selector, keep=keep, shorten=keep)
    async for changes in reflector.changes(insist=True):
        while changes:
            change = changes.popleft()
            item = change.item or change.before
            if item is not None:
                await sink(change.seen, item)


def _whole(item: Object) -> Object:
    return item


def _left(until: datetime | None) -> float:
    return math.inf if until is None else (until - datetime.now(UTC)).total_seconds()
