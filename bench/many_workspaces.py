"""Two hundred Workspaces applied at once: until all serve, what our processes need for it, what idle ones cost, and
until all of them are gone again.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from bench.api_calls import ApiCalls
from bench.memory import peaks_mib
from bench.results import Result
from tests.harness.leftovers import settled_leftovers
from tests.harness.stack import Stack
from tests.harness.workspaces import Workspaces, workspace

COUNT: Final = 200
WITHIN_S: Final = 900.0
IDLE_S: Final = 60.0
IDLE_GOAL: Final = 1.0
# What ARM would have to allow: pools, vCPUs of the family and of the region.
LIMITS: Final = {"pool_limit": 2 * COUNT, "family_limit": 10**6, "regional_limit": 10**6}


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """In the order in which it happens."""
    stack.arm.change_settings(**LIMITS)
    names = [f"many-{number:03}" for number in range(COUNT)]
    before = await asyncio.to_thread(peaks_mib, stack)
    began = time.monotonic()
    await workspaces.create(*(workspace(name) for name in names))
    created = time.monotonic() - began
    await workspaces.until_ready(*names, within_s=WITHIN_S)
    took = time.monotonic() - began
    how = f"all created within {created:.1f} s; machines after 0.5 s, pods after 0.3 s, both simulated"
    yield Result(f"ready_all_of_{COUNT}", took, "s", how, n=COUNT)
    for result in await _memory(stack, before):
        yield result
    async for result in _idle(stack):
        yield result
    began = time.monotonic()
    await workspaces.delete(*names)
    await workspaces.until_gone(*names, within_s=WITHIN_S)
    how = "from the first delete until no Workspace is there"
    yield Result(f"gone_all_of_{COUNT}", time.monotonic() - began, "s", how, n=COUNT)
    left = sum(map(len, (await settled_leftovers(stack, workspaces, within_s=60)).values()))
    yield Result("left_over", left, "things", "pools, nodes, objects, Workspaces, workflows after that", goal=0)


async def _memory(stack: Stack, before: dict[str, float]) -> list[Result]:
    peaks = await asyncio.to_thread(peaks_mib, stack)
    results = [
        Result(f"peak_memory_{name}", peak, "MiB", f"resident; {before[name]:.0f} before")
        for name, peak in peaks.items()
    ]
    return [*results, Result("peak_memory_all", sum(peaks.values()), "MiB", "sum of the four processes' peaks")]


async def _idle(stack: Stack) -> AsyncIterator[Result]:
    calls = ApiCalls(stack)
    await asyncio.to_thread(calls.begin)
    stack.arm.reset_calls()
    await asyncio.sleep(IDLE_S)
    api, arm = await asyncio.to_thread(calls.end), stack.arm.calls()
    minutes = IDLE_S / 60
    how = f"{COUNT} Ready Workspaces for {IDLE_S:g} s: {dict(api)}"
    yield Result("idle_api_calls_per_minute", api.total() / minutes / COUNT, "calls/Workspace", how, IDLE_GOAL, COUNT)
    how = f"{COUNT} Ready Workspaces for {IDLE_S:g} s: {arm}"
    total = sum(arm.values()) / minutes / COUNT
    yield Result("idle_arm_calls_per_minute", total, "calls/Workspace", how, IDLE_GOAL, COUNT)
