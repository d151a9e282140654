"""Follows a set of Kubernetes objects until a deadline: list once, then watch, and list again when the API server asks.

Yields the whole set after every change, so that a caller judges states and never has to reason about events.
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Final

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from activities.kubernetes_api import Cluster, Object

Collection = dict[str, Object]
"""Objects by name."""

WATCH_S: Final = 240
RECONNECT_PAUSE_S: Final = 1.0
_GONE: Final = 410


async def observe(
    cluster: Cluster, kind: str, namespace: str | None = None, *, selector: str, until: datetime
) -> AsyncGenerator[Collection, None]:
    """The set now and after every change, until the deadline passes; then it simply ends.

    A lost connection or an expired resourceVersion costs a new list. Any other refusal raises ApiException.
    """
    while _left(until) > 0:
        items, version = await cluster.list_all(kind, namespace, selector=selector)
        first = {item["metadata"]["name"]: item for item in items}
        yield first
        try:
            async for known in _changes(cluster, kind, namespace, selector, version, first, until):
                yield known
        except ApiException as error:
            if error.status != _GONE and error.status < 500:
                raise
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(RECONNECT_PAUSE_S)


async def _changes(
    cluster: Cluster, kind: str, namespace: str | None, selector: str, since: str, known: Collection, until: datetime
) -> AsyncGenerator[Collection, None]:
    while (left := _left(until)) > 0:
        seconds = min(WATCH_S, math.ceil(left))
        async for change, item in cluster.watch(kind, namespace, selector=selector, since=since, seconds=seconds):
            since = item["metadata"]["resourceVersion"]
            if change == "BOOKMARK":
                continue
            name = item["metadata"]["name"]
            known = {key: value for key, value in known.items() if key != name}
            if change != "DELETED":
                known[name] = item
            yield known


def _left(until: datetime) -> float:
    return (until - datetime.now(UTC)).total_seconds()
