"""Records when each of many Workspaces first reached a wanted state, by the clock of this process.

One watch serves all of them, and each event is judged once: following 500 must cost little beside what is measured.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Final

import aiohttp

from activities.clients.kubernetes import Object
from testing.workspaces import NAMESPACE, Workspaces, is_ready

Sight = Callable[[str, Object], bool]
"""Judges one event: its type (ADDED, MODIFIED, DELETED) and the Workspace in it."""
RECONNECT_S: Final = 0.2


def ready(change: str, found: Object) -> bool:
    """The Workspace serves."""
    return change != "DELETED" and is_ready(found)


def gone(change: str, found: Object) -> bool:
    """The Workspace was deleted."""
    return change == "DELETED"


async def following(
    workspaces: Workspaces, wanted: Collection[str], sight: Sight, within_s: float
) -> "asyncio.Task[dict[str, float]]":
    """Starts watching now; the task's result is a moment (time.monotonic) for each name.

    The task raises TimeoutError if some of them did not reach the state within `within_s` seconds.
    """
    _, version = await workspaces.cluster.list_all("Workspace", NAMESPACE)
    return asyncio.create_task(_follow(workspaces, set(wanted), sight, version, within_s))


async def _follow(
    workspaces: Workspaces, missing: set[str], sight: Sight, since: str, within_s: float
) -> dict[str, float]:
    seen: dict[str, float] = {}
    deadline = time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0:
        try:
            events = workspaces.cluster.watch("Workspace", NAMESPACE, since=since, seconds=int(left) + 1)
            async for change, found in events:
                since = found["metadata"]["resourceVersion"]
                name = found["metadata"].get("name", "")
                if name in missing and change != "BOOKMARK" and sight(change, found):
                    seen[name] = time.monotonic()
                    missing.discard(name)
                if not missing:
                    return seen
        except (aiohttp.ClientError, TimeoutError):  # the watch resumes where it broke off
            await asyncio.sleep(RECONNECT_S)
    raise TimeoutError(f"{len(missing)} not as wanted after {within_s:g} s: {', '.join(sorted(missing)[:10])}")
