"""Records when each of many Workspaces was first seen in wanted states, by the clock of this process.

One watch of a kind serves all of them, and each event is judged once: following 500 must cost little beside what is
measured.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from activities.clients.kubernetes import Object
from testing.workspaces import NAMESPACE, Workspaces, condition, is_ready

Sight = Callable[[str, Object], bool]
"""Judges one event: its type (ADDED, MODIFIED, DELETED) and the object in it."""
Moments = Mapping[str, Mapping[str, float]]
"""By sight and by name of the Workspace: time.monotonic of the first event that shows it."""
RECONNECT_S: Final = 0.2


@dataclass(frozen=True)
class Watched:
    """Objects of a kind that are named as the Workspace, and what is to be seen in each of them."""

    kind: str
    sights: Mapping[str, Sight]


def _is_ready(change: str, found: Object) -> bool:
    return change != "DELETED" and is_ready(found)


def _has_nodes(change: str, found: Object) -> bool:
    return change != "DELETED" and condition(found, "ResourceReady")["status"] == "True"


def _is_there(change: str, found: Object) -> bool:
    return change != "DELETED"


def _is_gone(change: str, found: Object) -> bool:
    return change == "DELETED"


WORKLOAD: Final = Watched("Deployment", {"workload": _is_there})
READY: Final = Watched("Workspace", {"ready": _is_ready})
NODES_AND_READY: Final = Watched("Workspace", {"nodes": _has_nodes, **READY.sights})
GONE: Final = Watched("Workspace", {"gone": _is_gone})


async def following(
    workspaces: Workspaces, watched: Watched, wanted: Collection[str], within_s: float
) -> "asyncio.Task[Moments]":
    """Starts watching now; the task ends when every sight was seen of every name.

    The task raises TimeoutError if some of them were not seen within `within_s` seconds.
    """
    _, version = await workspaces.cluster.list_all(watched.kind, NAMESPACE)
    return asyncio.create_task(_follow(workspaces, watched, wanted, version, within_s))


async def _follow(
    workspaces: Workspaces, watched: Watched, wanted: Collection[str], since: str, within_s: float
) -> Moments:
    seen: dict[str, dict[str, float]] = {sight: {} for sight in watched.sights}
    missing = {(sight, name) for sight in watched.sights for name in wanted}
    deadline = time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0:
        try:
            events = workspaces.cluster.watch(watched.kind, NAMESPACE, since=since, seconds=int(left) + 1)
            async for change, found in events:
                since = found["metadata"]["resourceVersion"]
                name = found["metadata"].get("name", "")
                for sight, shows in watched.sights.items():
                    if (sight, name) in missing and change != "BOOKMARK" and shows(change, found):
                        seen[sight][name] = time.monotonic()
                        missing.discard((sight, name))
                if not missing:
                    return seen
        except (aiohttp.ClientError, TimeoutError):  # the watch resumes where it broke off
            await asyncio.sleep(RECONNECT_S)
    told = ", ".join(f"{name} ({sight})" for sight, name in sorted(missing)[:10])
    raise TimeoutError(f"{len(missing)} not seen after {within_s:g} s: {told}")
