"""What waits see of the cluster: each watched kind is listed and watched once per process, however many waits look.

What a view shows is true, and may be some moments old. `Sight.holds` and `Sight.nothing_left` say whether it is no
older than that, and strictly whether it is true now. `watched.py` says what is kept, `shared_watch.py` keeps
it up to date; what the objects mean is decided by those who wait.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.clients.api_server.requests import REQUEST_TIMEOUT_S
from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.index import Scope, Wait
from activities.clients.view.shared_watch import SharedWatch
from activities.clients.view.watched import Watched
from activities.clients.watch import Collection

IDLE_S: Final = 300.0
"""A watch without waits is kept this long: a crowd's steps follow each other."""
RECHECK_S: Final = 5.0
"""A wait that has found its view behind looks again after this long, at the latest."""
JUST_NOW_S: Final = 2.0
"""A view that was told something so shortly before a look counts as told of everything: it is behind only if its watch
has stalled since, and by no more than this. What is read is often older when somebody acts on it."""


class ClusterView:
    """Every view of one cluster."""

    def __init__(self, cluster: Cluster, *, idle_s: float = IDLE_S) -> None:
        self.cluster = cluster
        self._idle_s = idle_s
        self._views: dict[Watched, SharedWatch] = {}

    def observe(
        self, watched: Watched, namespace: str | None = None, *, selector: str, until: datetime | None
    ) -> "Looks":
        """Returns a context in which to iterate: the objects in scope now, and after every change to one of them.

        Ends when the deadline passes. Raises what a Reflector raises.
        """
        if watched not in self._views:
            self._views[watched] = SharedWatch(self.cluster, watched, self._idle_s)
        return Looks(self._views[watched], Scope(namespace, selector), until)

    async def now(self, watched: Watched, namespace: str | None = None, *, selector: str) -> Collection:
        """Returns the objects in scope as the view shows them. Raises what a Reflector raises, and TimeoutError."""
        until = datetime.now(UTC) + timedelta(seconds=REQUEST_TIMEOUT_S)
        async with self.observe(watched, namespace, selector=selector, until=until) as looks:
            async for sight in looks:
                return sight.objects
        raise TimeoutError(f"{watched.kind}s were not listed within {REQUEST_TIMEOUT_S:g} s")

    @property
    def running(self) -> list[str]:
        """The kinds that are listed or watched now."""
        return [watched.kind for watched, shared in self._views.items() if shared.runs]

    async def close(self) -> None:
        """Stops every view."""
        await asyncio.gather(*(view.stop() for view in self._views.values()))


class Looks:
    """One wait's looks at a view. Without a change the last look is repeated every `again_s`."""

    def __init__(self, view: SharedWatch, scope: Scope, until: datetime | None) -> None:
        self.again_s = math.inf
        self._view, self._scope, self._until = view, scope, until
        self._wait = Wait()
        self._last: Sight | None = None
        self._denials = 0

    async def __aenter__(self) -> "Looks":
        self._began = time.monotonic()
        self._group = self._view.join(self._scope, self._wait)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._view.leave(self._group, self._wait)

    def __aiter__(self) -> "Looks":
        return self

    async def __anext__(self) -> "Sight":
        self._denials = self._denials + 1 if self._last and self._last.behind else 0
        if self._denials > 1:
            self._view.list_again()
        await self._next_change(RECHECK_S if self._denials else self.again_s)
        objects = {_name(item, self._scope): item for item in self._group.members.values()}
        self._last = Sight(self._view, self._scope, objects, began=self._began)
        return self._last

    async def _next_change(self, again_s: float) -> None:
        """Returns at a change, and after `again_s`. Raises StopAsyncIteration at the deadline, and the view's error."""
        while (left := _left(self._until)) > 0:
            try:
                async with asyncio.timeout(_finite(min(left, again_s))):
                    await self._wait.changed.wait()
            except TimeoutError:
                if self._view.listed and again_s < left:
                    return
                continue
            self._wait.changed.clear()
            if self._wait.failure is not None:
                # Several waits raise the same error: none of them may keep another one's frames.
                raise self._wait.failure.with_traceback(None)
            return
        raise StopAsyncIteration


class Sight:
    """What one look has shown: the objects by name, or by namespace/name if the scope has no namespace. `behind` is set
    when a check finds it too old."""

    def __init__(self, view: SharedWatch, scope: Scope, objects: Collection, *, began: float) -> None:
        self.objects = objects
        self.behind = False
        self._view, self._scope = view, scope
        self._heard = view.heard >= began
        self._is_news = is_news(view.heard, began=began, now=time.monotonic())

    async def holds(self, names: Iterable[str], *, strictly: bool = False) -> bool:
        """Whether these objects are as seen here, there or not. Reads them, unless the API server has sent something
        since the wait began or just now, and `strictly` is not set."""
        if self._is_news and not strictly:
            return True
        found = await asyncio.gather(*(self._is_as_seen(name) for name in names))
        return self._checked(all(found))

    async def nothing_left(self, *, strictly: bool = False, counts: Callable[[Object], bool] = bool) -> bool:
        """Whether the scope is as empty as seen here, of what `counts`. Lists it, unless the API server has sent
        something since the wait began and `strictly` is not set: what is missing here may have been made just now."""
        if self._heard and not strictly:
            return True
        kind, namespace = self._view.watched.kind, self._scope.namespace
        left, _ = await self._view.cluster.list_all(kind, namespace, selector=self._scope.selector)
        return self._checked(not any(counts(item) for item in left))

    def _checked(self, true: bool) -> bool:
        self.behind = self.behind or not true
        return true

    async def _is_as_seen(self, name: str) -> bool:
        found = await self._view.cluster.get(self._view.watched.kind, name, self._scope.namespace)
        there = found if found is not None and self._scope.matches(found) else None
        return _identity(there) == _identity(self.objects.get(name))


def is_news(heard: float, *, began: float, now: float) -> bool:
    """Whether the API server has sent something since a wait began, or just now. A watch tells of all changes of a kind
    in their order: when it tells of one, of whatever object, all that it told before was still true."""
    return heard >= min(began, now - JUST_NOW_S)


def _name(item: Object, scope: Scope) -> str:
    metadata = item["metadata"]
    elsewhere = scope.namespace is None and "namespace" in metadata
    return f"{metadata['namespace']}/{metadata['name']}" if elsewhere else str(metadata["name"])


def _identity(item: Object | None) -> tuple[str, str] | None:
    return None if item is None else (item["metadata"]["uid"], item["metadata"]["resourceVersion"])


def _left(until: datetime | None) -> float:
    return math.inf if until is None else (until - datetime.now(UTC)).total_seconds()


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else max(seconds, 0.0)
