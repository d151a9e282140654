"""A cluster in memory behind the verbs of `Cluster`, for what activities decide: objects are there, change, and refuse.

As the API server does it: versions grow, a patch holds wholly or not at all, a watch goes on from a version. Who may do
what, which fields a schema knows and what controllers make of objects is a real API server's to say.
"""

import asyncio
import copy
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from api.labels import FIELD_MANAGER
from tests.fakes.node_cluster import carry_out

Place = tuple[str, str, str]
"""Kind, namespace (empty where there is none) and name."""


class FakeCluster(Cluster):
    """`calls` counts verbs and kinds. What `fail_next` is given is raised by the next calls of a verb, one each."""

    def __init__(self, **objects: Object | list[Object]) -> None:
        """By kind: FakeCluster(Secret=a_secret, Pod=[one, two])."""
        self.calls: Counter[tuple[str, str]] = Counter()
        self.logs: dict[tuple[str, str, bool], str] = {}
        """By pod, container, and whether it is of the run before."""
        self._objects: dict[Place, Object] = {}
        self._events: list[tuple[str, str, Object]] = []
        self._failures: defaultdict[str, list[Exception]] = defaultdict(list)
        self._changed = asyncio.Condition()
        for kind, given in objects.items():
            for body in given if isinstance(given, list) else [given]:
                self._store("ADDED", kind, body)

    def fail_next(self, verb: str, *errors: Exception) -> None:
        self._failures[verb] += errors

    def names(self, kind: str) -> list[str]:
        """Of what is there."""
        return sorted(name for found, _, name in self._objects if found == kind)

    async def put(self, kind: str, body: Object) -> Object:
        """As somebody else writes it: made, or replaced."""
        return await self._written(kind, body)

    def lose(self, kind: str, name: str, namespace: str = "") -> None:
        """Goes without an event, as what is deleted while nobody watches."""
        del self._objects[kind, namespace, name]

    def gain(self, kind: str, body: Object) -> None:
        """Comes without an event, as what a watch that is behind has not told yet."""
        self._store("ADDED", kind, body)
        self._events[-1] = ("ADDED", "", body)

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        self._begin("get", kind)
        return copy.deepcopy(self._objects.get((kind, namespace or "", name)))

    async def list_all(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        fields: str = "",
        keep: Callable[[Object], Object | None] | None = None,
    ) -> tuple[list[Object], str]:
        if fields:
            raise NotImplementedError(f"field selector {fields}: ask a real API server")
        self._begin("list_all", kind)
        items = [body for place, body in self._objects.items() if place[0] == kind]
        found = [copy.deepcopy(body) for body in items if _selected(body, namespace, selector)]
        kept = found if keep is None else [one for body in found if (one := keep(body)) is not None]
        return kept, str(len(self._events))

    async def apply(self, kind: str, body: Object, *, subresource: str = "", manager: str = FIELD_MANAGER) -> Object:
        self._begin("apply", kind)
        there, uid = self._objects.get(_place(kind, body)), body["metadata"].get("uid")
        if uid and (there is None or there["metadata"]["uid"] != uid):
            raise ApiException(status=409, reason="the uid is another one's")
        return await self._written(kind, _merged(self._objects.get(_place(kind, body), {}), body))

    async def create(self, kind: str, body: Object, *, manager: str = "") -> Object:
        self._begin("create", kind)
        if _place(kind, body) in self._objects:
            raise ApiException(status=409, reason="AlreadyExists")
        return await self._written(kind, body)

    async def patch(self, kind: str, name: str, namespace: str | None, operations: list[Object]) -> Object:
        self._begin("patch", kind)
        if (kind, namespace or "", name) not in self._objects:
            raise ApiException(status=404, reason="NotFound")
        body = copy.deepcopy(self._objects[kind, namespace or "", name])
        for operation in operations:
            carry_out(body, operation)
        return await self._written(kind, body)

    async def delete(
        self, kind: str, name: str, namespace: str | None = None, *, uid: str = "", grace_s: int | None = None
    ) -> bool:
        self._begin("delete", kind)
        found = self._objects.get((kind, namespace or "", name))
        if found is None:
            return True
        if uid and found["metadata"]["uid"] != uid:
            return False
        async with self._changed:
            del self._objects[kind, namespace or "", name]
            found["metadata"]["resourceVersion"] = str(len(self._events) + 1)
            self._events.append(("DELETED", kind, found))
            self._changed.notify_all()
        return True

    async def watch(
        self, kind: str, namespace: str | None = None, *, selector: str = "", since: str, seconds: int
    ) -> AsyncIterator[tuple[str, Object]]:
        self._begin("watch", kind)
        seen = int(since)
        while await self._more_than(seen, seconds):
            change, of, body = self._events[seen]
            seen += 1
            if of == kind and _selected(body, namespace, selector):
                yield change, copy.deepcopy(body)

    async def break_watches(self, error: Exception) -> None:
        """The watch that is open ends with this."""
        async with self._changed:
            self._failures["watch"].append(error)
            self._changed.notify_all()

    async def bookmark(self, kind: str) -> None:
        """Tells watchers of a newer version, as the API server does now and then."""
        async with self._changed:
            self._events.append(("BOOKMARK", kind, {"metadata": {"resourceVersion": str(len(self._events) + 1)}}))
            self._changed.notify_all()

    async def request(self, method: str, path: str, **options: Any) -> Object:
        if (method, path) == ("GET", "/apis/policy"):
            return {"versions": [{"version": "v1"}]}
        raise NotImplementedError(f"{method} {path}: give the fake a verb, or ask a real API server")

    async def read_text(self, path: str, *, query: Mapping[str, str] | None = None, **options: Any) -> str:
        """A log; 404 for one that is not in `logs`."""
        self._begin("read_text", "log")
        pod, asked = path.split("/")[-2], query or {}
        try:
            return self.logs[pod, asked["container"], asked.get("previous") == "true"]
        except KeyError:
            raise ApiException(status=404, reason="NotFound") from None

    async def _more_than(self, seen: int, seconds: int) -> bool:
        """Whether there is another event within this time. Raises what `break_watches` was given."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: len(self._events) > seen or self._failures["watch"])
        except TimeoutError:
            return False
        if self._failures["watch"]:
            raise self._failures["watch"].pop(0)
        return True

    def _begin(self, verb: str, kind: str) -> None:
        self.calls[verb, kind] += 1
        if verb != "watch" and self._failures[verb]:
            raise self._failures[verb].pop(0)

    async def _written(self, kind: str, body: Object) -> Object:
        async with self._changed:
            change = "MODIFIED" if _place(kind, body) in self._objects else "ADDED"
            made = self._store(change, kind, body)
            self._changed.notify_all()
        return copy.deepcopy(made)

    def _store(self, change: str, kind: str, body: Object) -> Object:
        made = copy.deepcopy(body)
        made["metadata"].setdefault("uid", f"uid-{made['metadata']['name']}")
        made["metadata"]["resourceVersion"] = str(len(self._events) + 1)
        self._objects[_place(kind, made)] = made
        self._events.append((change, kind, made))
        return made


def _place(kind: str, body: Object) -> Place:
    metadata = body["metadata"]
    return kind, metadata.get("namespace") or "", metadata["name"]


def _selected(body: Object, namespace: str | None, selector: str) -> bool:
    metadata = body["metadata"]
    if "name" not in metadata:
        return True  # a bookmark is for everybody
    wanted = [part.partition("=") for part in selector.split(",") if part]
    held = metadata.get("labels") or {}
    fits = all(held.get(key) == value if equals else key in held for key, equals, value in wanted)
    return fits and (not namespace or metadata.get("namespace") == namespace)


def _merged(there: Object, applied: Object) -> Object:
    """What is applied goes over what is there, field by field; lists are replaced."""
    both = {key: _merged(there[key], applied[key]) for key in there.keys() & applied.keys()
            if isinstance(there[key], dict) and isinstance(applied[key], dict)}  # fmt: skip
    return there | applied | both
