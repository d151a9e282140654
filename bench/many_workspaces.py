"""Applies many Workspaces at once: measures the time until all are Ready, what our processes use for it, what idle
Workspaces cost, and the time until all are deleted. A `LoadProfile` sets the count and whether idle ones are measured.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from bench.counting import Counted
from bench.memory import peaks_mib
from bench.moments import following, gone, ready
from bench.results import Result, percentile
from testing.leftovers import settled_leftovers
from testing.stack import Stack
from testing.workspaces import Workspaces, workspace

# Generous, for machines that others use too: the figures are reported, this deadline does not judge them.
WITHIN_S: Final = 2400.0
IDLE_GOALS: Final = (1.0, 1.0)


@dataclass(frozen=True)
class LoadProfile:
    """`count` Workspaces at once. `idle_s`: seconds for which they are left alone once all are Ready; 0 skips that.
    `clean_s`: seconds within which all their resources must be gone once no Workspace exists."""

    count: int
    idle_s: float = 0.0
    clean_s: float = 60.0

    @property
    def names(self) -> list[str]:
        return [f"many-{number:03}" for number in range(self.count)]

    @property
    def limits(self) -> dict[str, int]:
        """Returns the limits that ARM would have to grant: pools, vCPUs of the family and of the region."""
        return {"pool_limit": 2 * self.count, "family_limit": 10**6, "regional_limit": 10**6}


TWO_HUNDRED: Final = LoadProfile(200, idle_s=60.0)
FIVE_HUNDRED: Final = LoadProfile(500)


def of(crowd: LoadProfile) -> Callable[[Stack, Workspaces], AsyncIterator[Result]]:
    """Returns the measurement for this load profile."""

    async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
        async for result in _measure(crowd, stack, workspaces):
            yield result

    return measure


async def _measure(crowd: LoadProfile, stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Yields the results in the order in which they are measured."""
    stack.arm.change_settings(**crowd.limits)
    before = await asyncio.to_thread(peaks_mib, stack)
    counted = Counted(stack)
    await counted.begin()
    for result in await _created(crowd, workspaces):
        yield result
    for result in [*await counted.end(f"ready_of_{crowd.count}", crowd.count), *await _memory(stack, before)]:
        yield result
    if crowd.idle_s:
        for result in await _idle(crowd, counted):
            yield result
    await counted.begin()
    for result in await _deleted(crowd, workspaces):
        yield result
    for result in [*await counted.end(f"gone_of_{crowd.count}", crowd.count), *await _memory(stack, before)]:
        yield result
    left = await settled_leftovers(stack, workspaces, within_s=crowd.clean_s)
    how = f"pools, nodes, objects, Workspaces, workflows after that: {left or 'none'}"
    yield Result("left_over", sum(map(len, left.values())), "things", how, goal=0, n=crowd.count)


async def _created(crowd: LoadProfile, workspaces: Workspaces) -> list[Result]:
    following_all = await following(workspaces, crowd.names, ready, WITHIN_S)
    began = time.monotonic()
    await workspaces.create(*(workspace(name) for name in crowd.names))
    created = time.monotonic() - began
    how = f"all created within {created:.1f} s; machines after 0.5 s, pods after 0.3 s, both simulated"
    return _times("ready", crowd, began, await following_all, how)


async def _deleted(crowd: LoadProfile, workspaces: Workspaces) -> list[Result]:
    following_all = await following(workspaces, crowd.names, gone, WITHIN_S)
    began = time.monotonic()
    await workspaces.delete(*crowd.names)
    return _times("gone", crowd, began, await following_all, "from the first delete until the Workspace is not there")


def _times(what: str, crowd: LoadProfile, began: float, moments: dict[str, float], how: str) -> list[Result]:
    seconds = [moment - began for moment in moments.values()]
    return [
        Result(f"{what}_all_of_{crowd.count}", max(seconds), "s", how, n=crowd.count),
        Result(f"{what}_p50_of_{crowd.count}", percentile(seconds, 0.5), "s", "half of them", n=crowd.count),
    ]


async def _memory(stack: Stack, before: dict[str, float]) -> list[Result]:
    peaks = await asyncio.to_thread(peaks_mib, stack)
    results = [
        Result(f"peak_memory_{name}", peak, "MiB", f"resident so far; {before[name]:.0f} before")
        for name, peak in peaks.items()
    ]
    return [*results, Result("peak_memory_all", sum(peaks.values()), "MiB", "sum of the four processes' peaks")]


async def _idle(crowd: LoadProfile, counted: Counted) -> list[Result]:
    await counted.begin()
    await asyncio.sleep(crowd.idle_s)
    return await counted.end(f"of_an_idle_minute_of_{crowd.count}", crowd.count * crowd.idle_s / 60, IDLE_GOALS)
