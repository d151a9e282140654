"""Measures the seconds from apply to the workload's Deployment, with nodes already there and with none.

The Deployment is created in parallel with the purchase of nodes, so a new Workspace takes the same path plus the quota
check. "Nodes already there" is a serving Workspace that is applied with another preset: its pool is kept, its
Deployment replaced. One at a time on an idle stack; the clock runs in this process, from before the request to the
watch event.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from api import labels
from bench.results import Result, percentile
from testing.stack import Stack
from testing.workspaces import NAMESPACE, PRESET, Workspaces, workspace

ROUNDS: Final = 24
GOAL_S: Final = 0.5
WITHIN_S: Final = 60.0
OTHER_PRESET: Final = "phi-2"
NAME: Final = "latency"


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Two figures, each with p50 and p90."""
    fresh = [await _fresh(workspaces, f"{NAME}-{number}") for number in range(ROUNDS)]
    how = f"new Workspaces one by one, {ROUNDS} of them; nothing is there, the Deployment is made beside the purchase"
    for result in _results("apply_to_workload_new", fresh, how):
        yield result
    await workspaces.create(workspace(NAME))
    await workspaces.until_ready(NAME, within_s=WITHIN_S)
    edited = [await _edited(workspaces, OTHER_PRESET if number % 2 == 0 else PRESET) for number in range(ROUNDS)]
    how = f"a serving Workspace applied with another preset {ROUNDS} times: its nodes are there"
    for result in _results("apply_to_workload_nodes_there", edited, how):
        yield result
    await workspaces.delete(NAME)
    await workspaces.until_gone(NAME, within_s=WITHIN_S)


def _results(name: str, seconds: list[float], how: str) -> list[Result]:
    return [
        Result(f"{name}_p50", percentile(seconds, 0.5), "s", how, goal=GOAL_S, n=len(seconds)),
        Result(f"{name}_p90", percentile(seconds, 0.9), "s", how, n=len(seconds)),
    ]


async def _fresh(workspaces: Workspaces, name: str) -> float:
    seen = await _watching(workspaces, name, generation=1)
    began = time.monotonic()
    await workspaces.create(workspace(name))
    took = await seen - began
    await workspaces.delete(name)
    await workspaces.until_gone(name, within_s=WITHIN_S)
    return took


async def _edited(workspaces: Workspaces, preset: str) -> float:
    found = await workspaces.get(NAME)
    assert found is not None
    seen = await _watching(workspaces, NAME, generation=found["metadata"]["generation"] + 1)
    edit = [{"op": "replace", "path": "/inference/preset/name", "value": preset}]
    began = time.monotonic()
    await workspaces.cluster.patch("Workspace", NAME, NAMESPACE, edit)
    took = await seen - began
    await workspaces.until_ready(NAME, within_s=WITHIN_S)
    return took


async def _watching(workspaces: Workspaces, name: str, *, generation: int) -> "asyncio.Task[float]":
    """Returns a task whose result is the moment at which the Deployment of this generation was seen."""
    _, version = await workspaces.cluster.list_all("Deployment", NAMESPACE)

    async def follow() -> float:
        events = workspaces.cluster.watch("Deployment", NAMESPACE, since=version, seconds=int(WITHIN_S))
        async for change, item in events:
            metadata = item["metadata"]
            shown = (metadata.get("annotations") or {}).get(labels.GENERATION)
            if change in ("ADDED", "MODIFIED") and metadata["name"] == name and shown == str(generation):
                return time.monotonic()
        raise TimeoutError(f"no Deployment of {name}, generation {generation}, within {WITHIN_S:g} s")

    return asyncio.create_task(follow())
