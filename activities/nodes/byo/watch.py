"""Follows Nodes and the pods that hold GPUs on them in the process' view, until a deadline.

Pods are watched in all namespaces, and only their GPU use is kept: a cluster has thousands, few of them with GPUs.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from activities.clients.view.cluster_view import ClusterView, Looks
from activities.clients.view.watched import OWN_NODES, Watched
from activities.clients.watch import Collection
from activities.nodes.byo.gpu_accounting import GpuPod, gpu_pod, kept_gpu_pod

LOOK_AGAIN_S: Final = 30.0
"""Without any change the view is yielded again after this long: things that are not watched may have changed."""

GPU_PODS: Final = Watched("Pod", "", kept_gpu_pod)


@dataclass(frozen=True)
class View:
    """The matching nodes by name, and every pod that holds GPUs."""

    nodes: Collection
    pods: tuple[GpuPod, ...]


@dataclass
class _Followed:
    nodes: Collection | None = None
    pods: tuple[GpuPod, ...] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


async def follow(view: ClusterView, selector: str, *, until: datetime) -> AsyncGenerator[View, None]:
    """Yields what is there now and after changes, until the deadline. Raises what `ClusterView.observe` raises."""
    now = _Followed()
    tasks = [
        asyncio.create_task(_follow_nodes(view.observe(OWN_NODES, selector=selector, until=until), now)),
        asyncio.create_task(_follow_pods(view.observe(GPU_PODS, selector="", until=until), now)),
    ]
    try:
        while (left := _left(until)) > 0:
            await _next_change(now, tasks, min(left, LOOK_AGAIN_S))
            if now.nodes is not None and now.pods is not None:
                yield View(now.nodes, now.pods)
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


async def _follow_nodes(looks: Looks, now: _Followed) -> None:
    async with looks:
        async for sight in looks:
            now.nodes = sight.objects
            now.changed.set()


async def _follow_pods(looks: Looks, now: _Followed) -> None:
    async with looks:
        async for sight in looks:
            now.pods = gpu_pods(sight.objects)
            now.changed.set()


def gpu_pods(found: Collection) -> tuple[GpuPod, ...]:
    """What the pods use."""
    return tuple(use for pod in found.values() if (use := gpu_pod(pod)))


def _left(until: datetime) -> float:
    return (until - datetime.now(UTC)).total_seconds()
