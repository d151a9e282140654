"""Follows one collection of the API server for ever: list, hand on, watch, and list again when the server asks for it.

Losing the connection, or an event, costs a delay and never a change: every (re)list hands on all objects, and what a
listing no longer shows is handed on as gone. Decides nothing about the objects.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from activities.kubernetes_api import Cluster, Object

log = logging.getLogger(__name__)

WATCH_S: Final = 290
"""The API server closes watches after five minutes or more; we are first, so that a dead connection is noticed."""
PAUSES_S: Final = (0.2, 1.0, 2.0, 5.0)
EXPIRED: Final = 410


class Seen(StrEnum):
    """How an object came to our notice."""

    LISTED = "listed"
    CHANGED = "changed"
    GONE = "gone"


Sink = Callable[[Seen, Object], Awaitable[None]]
Keep = Callable[[Object], Object]


class Collection:
    """All objects of one kind (with a label selector), and what `keep` leaves of the last state each was seen in."""

    def __init__(
        self, cluster: Cluster, kind: str, sink: Sink, *, selector: str = "", keep: Keep = lambda item: item
    ) -> None:
        self._cluster = cluster
        self._kind = kind
        self._sink = sink
        self._selector = selector
        self._keep = keep
        self._known: dict[str, Object] = {}
        self.listings = 0
        self.synced = asyncio.Event()

    async def follow(self) -> None:
        """Runs until it is cancelled. An answer that no repeat can mend (403, 404 of the kind) is raised."""
        failures = 0
        while True:
            try:
                version = await self._list()
                failures = 0
                await self._watch(version)
            except ApiException as error:
                if error.status in (401, 403, 404):
                    raise
                log.info("relisting %s: the API server said %s %s", self._kind, error.status, error.reason)
                failures += error.status != EXPIRED
            except (aiohttp.ClientError, TimeoutError) as error:
                log.info("relisting %s: %r", self._kind, error)
                failures += 1
            if failures:
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S)) - 1])

    async def _list(self) -> str:
        items, version = await self._cluster.list_all(self._kind, selector=self._selector)
        self.listings += 1
        now = {item["metadata"]["uid"]: item for item in items}
        for uid, lost in list(self._known.items()):
            if uid not in now:
                await self._forget(uid, lost)
        for item in items:
            await self._note(Seen.LISTED, item)
        self.synced.set()
        return version

    async def _watch(self, version: str) -> None:
        while True:
            events = self._cluster.watch(self._kind, selector=self._selector, since=version, seconds=WATCH_S)
            async for change, item in events:
                version = item["metadata"]["resourceVersion"]
                if change == "DELETED":
                    await self._forget(item["metadata"]["uid"], item)
                elif change != "BOOKMARK":
                    await self._note(Seen.CHANGED, item)

    async def _note(self, seen: Seen, item: Object) -> None:
        self._known[item["metadata"]["uid"]] = self._keep(item)
        await self._sink(seen, item)

    async def _forget(self, uid: str, item: Object) -> None:
        self._known.pop(uid, None)
        await self._sink(Seen.GONE, item)
