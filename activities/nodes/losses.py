"""Runs a wait beside a watch of the nodes that it needs: the loss of one ends the wait, with a reason.

A node that is gone is lost at once, one that is only not ready after a while. A watch that cannot be had leaves the
wait alone. What a loss means, and what replaces the node, the workflow decides.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.clients.watch import Collection
from activities.contract.failures import failure
from activities.contract.nodes import NodesHeld
from activities.nodes.placement import place
from activities.nodes.provider import nodes_selector
from activities.nodes.readiness import ready_names, watched_nodes

WATCH_AGAIN_S: Final = 60.0
"""After a watch that could not be had."""

Saw = Callable[[list[str]], None]
"""Gets the names of the nodes that are missing."""


@asynccontextmanager
async def while_nodes_ready(view: ClusterView, held: NodesHeld | None) -> AsyncIterator[None]:
    """Cancels the block when one of the nodes is lost. Raises NodeLost with their names then; None watches nothing."""
    if held is None:
        yield
        return
    task = asyncio.current_task()
    assert task is not None, "an activity is a task"
    requested, lost = task.cancelling(), list[str]()

    async def watch() -> None:
        lost.extend(await _until_lost(view, held))
        task.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not lost or task.uncancel() > requested:  # the activity itself is cancelled, perhaps as well
            raise
        raise failure("NodeLost", f"no longer ready: {', '.join(lost)}", final=True, names=lost) from None
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _until_lost(view: ClusterView, held: NodesHeld) -> list[str]:
    """Returns the next loss, however often the watch has to begin again."""
    while True:
        try:
            return await next_loss(view, held)
        except Exception as error:  # whatever it is, the wait goes on, and the watch begins again
            logging.getLogger(__name__).warning("nodes of %s cannot be watched: %r", held.workspace.name, error)
            await asyncio.sleep(WATCH_AGAIN_S)


async def next_loss(view: ClusterView, held: NodesHeld, saw: Saw = lambda missing: None) -> list[str]:
    """Returns the names of the nodes that are missing when fewer are ready than are wanted: at once if one is gone,
    after `unready` if it is only not ready. Otherwise waits until cancelled; `saw` is told of every look. Raises what
    views raise."""
    since: datetime | None = None
    grace, selector = timedelta(seconds=held.unready), nodes_selector(held.workspace.uid, held.provider)
    async with view.observe(watched_nodes(held.provider), selector=selector, until=None) as looks:
        async for sight in looks:
            await place(view.cluster, sight.objects.values(), held.workspace.uid, held.provider)  # AKS may replace one
            missing = missing_names(sight.objects, held)
            saw(missing)
            since = (since or datetime.now(UTC)) if missing else None
            left = since + grace - datetime.now(UTC) if since else None
            looks.again_s = math.inf if left is None else left.total_seconds()
            gone = any(is_going(sight.objects.get(name)) for name in missing)
            # Another process may have seen these nodes before this one's view has them: then none of them is lost.
            if missing and (gone or looks.again_s <= 0) and await sight.holds(missing, strictly=True):
                return missing
    raise AssertionError("looks without a deadline have no end")


def missing_names(nodes: Collection, held: NodesHeld) -> list[str]:
    """Which of the held nodes are not ready, sorted; [] if enough nodes are ready under other names."""
    ready = ready_names(nodes, held.gpus_per_node, held.gpu_resource)
    return [] if len(ready) >= held.count else sorted(set(held.names) - set(ready))


def is_going(node: Object | None) -> bool:
    """Whether the node is gone or being deleted, which is permanent."""
    return node is None or "deletionTimestamp" in node["metadata"]
