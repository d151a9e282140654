"""Which waits a change concerns, found by the object's labels: the cost of an event does not grow with the waits.

Waits for the same objects share a group, which holds the objects that its scope matches now. No input or output here:
`shared_watch.py` supplies the changes.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from activities.clients.kubernetes import Object
from api import labels

Requirement = tuple[str, str | None]
"""A label's key and value; None: any value."""


@dataclass(frozen=True)
class Scope:
    """What one wait looks at: the objects of a namespace (None: of all) with these labels."""

    namespace: str | None
    selector: str

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """The label selector, taken apart: `key=value` and `key`, joined by commas."""
        parts = [part.partition("=") for part in self.selector.split(",") if part]
        return tuple((key, value if equals else None) for key, equals, value in parts)

    def matches(self, item: Object) -> bool:
        """Whether the object is in scope."""
        found = _labels(item)
        fits = all(key in found if value is None else found.get(key) == value for key, value in self.requirements)
        return fits and (self.namespace is None or item["metadata"].get("namespace") == self.namespace)


@dataclass(eq=False)
class Wait:
    """One wait: `changed` is set when it should look again; `failure` is why there is nothing more to see."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None


@dataclass(eq=False)
class Group:
    """All waits of one scope, and the objects in it by uid."""

    scope: Scope
    members: dict[str, Object]
    waits: set[Wait] = field(default_factory=set)


class Index:
    """The objects by the Workspace that they belong to, and the groups by one label that each of them requires."""

    def __init__(self) -> None:
        self._of_workspace: dict[str, dict[str, Object]] = {}
        self._groups: dict[Scope, Group] = {}
        self._by_label: dict[Requirement | None, set[Group]] = {}

    def join(self, scope: Scope, wait: Wait, items: Mapping[str, Object]) -> Group:
        """Adds a wait. `items` are all objects by uid, to begin a new group with."""
        group = self._groups.get(scope)
        if group is None:
            candidates = self._candidates(scope, items)
            group = Group(scope, {uid: item for uid, item in candidates.items() if scope.matches(item)})
            self._groups[scope] = group
            self._by_label.setdefault(_anchor(scope), set()).add(group)
        group.waits.add(wait)
        return group

    def leave(self, group: Group, wait: Wait) -> None:
        """Removes a wait, and its group with the last one."""
        group.waits.discard(wait)
        if not group.waits and self._groups.get(group.scope) is group:
            del self._groups[group.scope]
            anchored = self._by_label[_anchor(group.scope)]
            anchored.discard(group)
            if not anchored:
                del self._by_label[_anchor(group.scope)]

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._groups

    def waits(self) -> list[Wait]:
        """Every wait."""
        return [wait for group in self._groups.values() for wait in group.waits]

    def note(self, before: Object | None, now: Object | None) -> None:
        """An object was another one before, or None: wakes the waits in whose scope it was or is."""
        if before == now:
            return
        for item in (before, now):
            if item is not None:
                self._note_owner(item, there=item is now)
        for group in self._concerned(before) | self._concerned(now):
            _update(group, before, now)

    def _note_owner(self, item: Object, *, there: bool) -> None:
        workspace, uid = _labels(item).get(labels.WORKSPACE_UID), item["metadata"]["uid"]
        if workspace is None:
            return
        owned = self._of_workspace.setdefault(workspace, {})
        if there:
            owned[uid] = item
        else:
            owned.pop(uid, None)
        if not owned:
            del self._of_workspace[workspace]

    def _candidates(self, scope: Scope, items: Mapping[str, Object]) -> Mapping[str, Object]:
        workspace = dict(scope.requirements).get(labels.WORKSPACE_UID)
        return items if workspace is None else self._of_workspace.get(workspace, {})

    def _concerned(self, item: Object | None) -> set[Group]:
        if item is None:
            return set()
        found = set(self._by_label.get(None, ()))
        for key, value in _labels(item).items():
            found |= self._by_label.get((key, value), set()) | self._by_label.get((key, None), set())
        return found


def _update(group: Group, before: Object | None, now: Object | None) -> None:
    concerned = False
    if before is not None:
        concerned = group.members.pop(before["metadata"]["uid"], None) is not None
    if now is not None and group.scope.matches(now):
        group.members[now["metadata"]["uid"]] = now
        concerned = True
    if concerned:
        for wait in group.waits:
            wait.changed.set()


def _anchor(scope: Scope) -> Requirement | None:
    """The requirement by which a scope is found: one with a value if there is one, as fewer objects fulfil it."""
    exact = [(key, value) for key, value in scope.requirements if value is not None]
    return next(iter([*exact, *scope.requirements]), None)


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}
