"""Many Workspaces at once, on a stack of their own: the time to each state, calls, CPU and memory of every process;
what they cost while nothing happens; the time until all are released.

Machines and pods are simulated, at the pace of the comparison with KAITO's controllers (`life.PACE`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from api import names as made_names
from bench.lives import moments
from bench.lives.budgets import STRAGGLER_GOAL
from bench.lives.counting import Counted
from bench.lives.histories import all_events
from bench.lives.life import PACE
from bench.lives.processes import BESIDE, Used, cpu_results, memory_results, used
from bench.results import Result, percentile
from testing.leftovers import SYSTEM_POOL, settled_leftovers
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, workspace

# Generous, for machines that others use too: the figures are reported, this deadline does not judge them.
WITHIN_S: Final = 2400.0
CLEAN_S: Final = 300.0
IDLE_S: Final = 60.0
# Status writes that are joined, and logs that are written in batches.
TRAILING_S: Final = 3.0
IDLE_GOALS: Final = (1.0, 1.0)


@dataclass(frozen=True)
class Crowd:
    """`count` Workspaces of a stack."""

    stack: Stack
    workspaces: Workspaces
    count: int

    @property
    def names(self) -> list[str]:
        return [f"many-{number:03}" for number in range(self.count)]

    @property
    def limits(self) -> dict[str, int]:
        """Returns the limits that ARM would have to grant: pools, vCPUs of the family and of the region."""
        return {"pool_limit": 2 * self.count, "family_limit": 10**6, "regional_limit": 10**6}

    async def measure(self) -> AsyncIterator[Result]:
        """Yields the results in the order in which they are measured."""
        self.stack.arm.change_settings(**self.limits, **PACE)
        fresh = await self._used()
        for result in memory_results("fresh", fresh, self.count, self.stack.programs):
            yield result
        for stage in (self._up, self._idle, self._down):
            async for result in stage():
                yield result

    async def _up(self) -> AsyncIterator[Result]:
        counted, before = Counted(self.stack), await self._used()
        await counted.begin()
        follow = [
            await moments.following(self.workspaces, watched, self.names, WITHIN_S)
            for watched in (moments.WORKLOAD, moments.NODES_AND_READY)
        ]
        began = time.monotonic()
        await self.workspaces.create(*(workspace(name) for name in self.names))
        created = time.monotonic() - began
        seen = {sight: found for task in follow for sight, found in (await task).items()}
        after = await self._used()
        how = f"all created within {created:.1f} s"
        for sight in ("workload", "nodes", "ready"):
            for result in self._times(sight, [moment - began for moment in seen[sight].values()], how):
                yield result
        behind = [moment - seen["nodes"][name] for name, moment in seen["ready"].items()]
        goal = STRAGGLER_GOAL * percentile(behind, 0.5)
        for result in self._times("ready_after_nodes", behind, "from ResourceReady to Ready of each", goal):
            yield result
        for result in [*self._spent("up", before, after), *(await counted.end()).results("up", self.count)]:
            yield result
        for result in memory_results("with_all", after, self.count, self.stack.programs):
            yield result

    async def _idle(self) -> AsyncIterator[Result]:
        await asyncio.sleep(TRAILING_S)
        counted, before = Counted(self.stack), await self._used()
        await counted.begin()
        events = await self._events()
        await asyncio.sleep(IDLE_S)
        written = await self._events() - events
        minutes = IDLE_S / 60
        for result in (await counted.end()).results("idle", self.count * minutes, IDLE_GOALS):
            yield result
        yield Result("events_idle", written / minutes, "events/min", "in all histories together", 0, self.count)
        for result in self._spent("idle", before, await self._used()):
            yield result

    async def _down(self) -> AsyncIterator[Result]:
        counted, before = Counted(self.stack), await self._used()
        await counted.begin()
        follow = await moments.following(self.workspaces, moments.GONE, self.names, WITHIN_S)
        began, clock = time.monotonic(), time.time()
        await self.workspaces.delete(*self.names)
        gone = (await follow)["gone"]
        after = await self._used()
        for result in self._times("pools_gone", await self._pools_gone(clock), "from the first delete, by ARM's clock"):
            yield result
        for result in self._times("gone", [moment - began for moment in gone.values()], "no Workspace object"):
            yield result
        left = await settled_leftovers(self.stack, self.workspaces, within_s=CLEAN_S)
        yield Result("all_clean", time.monotonic() - began, "s", "nothing is left that was made", n=self.count)
        for result in [*self._spent("down", before, after), *(await counted.end()).results("down", self.count)]:
            yield result
        for result in memory_results("after", await self._used(), self.count, self.stack.programs):
            yield result
        how = f"pools, nodes, objects, Workspaces, workflows after that: {left or 'none'}"
        yield Result("left_over", sum(map(len, left.values())), "things", how, goal=0, n=self.count)

    async def _pools_gone(self, since: float) -> list[float]:
        """Returns the seconds after which the emulator ended each deletion of a pool; it keeps the last 500."""
        operations = (await asyncio.to_thread(self.stack.arm.state))["operations"].values()
        deleted = [one for one in operations if one["kind"] == "delete" and one["pool"] != SYSTEM_POOL]
        return [one["ended_at"] - since for one in deleted if one["ended_at"] and one["ended_at"] > since]

    def _times(self, what: str, seconds: list[float], how: str, last_goal: float | None = None) -> list[Result]:
        median, last = percentile(seconds, 0.5), max(seconds)
        more = f"p95 {percentile(seconds, 0.95):.1f}; {how}"
        return [
            Result(f"{what}_median", median, "s", how, n=self.count),
            Result(f"{what}_last", last, "s", more, last_goal, self.count),
        ]

    def _spent(self, what: str, before: Mapping[str, Used], after: Mapping[str, Used]) -> list[Result]:
        return cpu_results(what, before, after, self.count, (*self.stack.programs, *BESIDE))

    async def _used(self) -> dict[str, Used]:
        return await asyncio.to_thread(used, self.stack)

    async def _events(self) -> int:
        ids = [made_names.workflow_id(NAMESPACE, name) for name in self.names]
        return await all_events(self.workspaces.client, ids)


def of(count: int) -> Callable[[Stack, Workspaces], AsyncIterator[Result]]:
    """Returns the measurement of a crowd of this size."""
    return lambda stack, workspaces: Crowd(stack, workspaces, count).measure()
