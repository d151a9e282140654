"""Watches Nodes and the pods that hold GPUs on them, until a deadline.

Pods are watched in all namespaces, and only their GPU use is kept: a cluster has thousands, few of them with GPUs.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from activities.clients.kubernetes import Cluster
from activities.clients.watch import Collection, Reflector, observe
from activities.nodes.byo.gpu_accounting import GpuPod, gpu_pod

LOOK_AGAIN_S: Final = 30.0
"""Without any change the view is yielded again after this long: things that are not watched may have changed."""


@dataclass(frozen=True)
class View:
    """The matching nodes by name, and every pod that holds GPUs."""

    nodes: Collection
    pods: tuple[GpuPod, ...]


@dataclass
class _Followed:
    nodes: Collection | None = None
    pods: dict[str, GpuPod] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


async def follow(cluster: Cluster, selector: str, *, until: datetime) -> AsyncGenerator[View, None]:
    """Yields the view now and after changes, until the deadline. Raises what `observe` raises."""
    now = _Followed()
    tasks = [
        asyncio.create_task(_follow_nodes(cluster, selector, now, until)),
        asyncio.create_task(_follow_pods(cluster, now, until)),
    ]
    try:
        while (left := _left(until)) > 0:
            await _next_change(now, tasks, min(left, LOOK_AGAIN_S))
            if now.nodes is not None and now.pods is not None:
                yield View(now.nodes, tuple(now.pods.values()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _next_change(now: _Followed, tasks: list["asyncio.Task[None]"], timeout_s: float) -> None:
    waiting = asyncio.create_task(now.changed.wait())
    try:
        await asyncio.wait(
            [waiting, *(task for task in tasks if not task.done())],
            timeout=timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        waiting.cancel()
    for task in tasks:
        if task.done():
            task.result()
    now.changed.clear()


async def _follow_nodes(cluster: Cluster, selector: str, now: _Followed, until: datetime) -> None:
    async for nodes in observe(cluster, "Node", selector=selector, until=until):
        now.nodes = nodes
        now.changed.set()


async def _follow_pods(cluster: Cluster, now: _Followed, until: datetime) -> None:
    """Ignores most pods' events: only a change to a pod that holds GPUs is a change."""
    pods = Reflector(cluster, "Pod", keep=gpu_pod)
    async for changes in pods.changes(until):
        if now.pods is None or any(change.before != change.now for change in changes):
            now.pods = pods.known
            now.changed.set()
        changes.clear()  # all of the cluster's pods, after a listing


def _left(until: datetime) -> float:
    return (until - datetime.now(UTC)).total_seconds()
