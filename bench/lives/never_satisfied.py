"""Measures a Workspace that can never be satisfied: its cost until it fails, its cost after that, and whether healthy
ones beside it are slowed.

Two kinds: an exhausted quota, and a machine type that the region never has. The second retries a few times, so it is
in progress for as long as the healthy ones are.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from api import names
from bench.lives.counting import Counted
from bench.lives.moments import GONE, READY, following
from bench.results import Result, percentile
from testing.faults.processes import frozen
from testing.stack import Stack
from testing.workspaces import Workspaces, is_failed, status_of, workspace
from workflows.messages import SIGNAL_CHANGED, Changed

SCARCE, SCARCE_FAMILY, SCARCE_LEFT = "Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 6
"""A VM size of four vCPUs, of whose family the subscription has six: a second machine exceeds the quota."""
GOOD: Final = 50
BAD_OF_QUOTA: Final = 3
BAD_OF_CAPACITY: Final = 2
ROUNDS: Final = 2
# Generous, for machines that others use too: the figures are reported, this deadline does not judge them.
WITHIN_S: Final = 1200.0
IDLE_S: Final = 60.0
LOOKED_S: Final = 10.0
"""Longer than one resync of a settled Workspace takes."""
LIMITS: Final[dict[str, Any]] = {"pool_limit": 4 * GOOD, "family_limit": 10**6, "regional_limit": 10**6}
# (calls to the API server, calls to ARM)
QUOTA_GOALS: Final = (30.0, 5.0)
CAPACITY_GOALS: Final = (60.0, 60.0)
HOURLY_GOALS: Final = (10.0, 2.0)
SLOWED_GOAL: Final = 1.2


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Measures the bad ones alone, one kind after the other; then good ones without and with bad ones, in turn."""
    stack.arm.change_settings(**LIMITS, family_limits={SCARCE_FAMILY: SCARCE_LEFT})
    counted = Counted(stack)
    bad = {"quota": _of_quota("bad-quota"), "capacity": workspace("bad-capacity")}
    uids: dict[str, str] = {}
    for kind, goals in (("quota", QUOTA_GOALS), ("capacity", CAPACITY_GOALS)):
        await counted.begin()
        began = time.monotonic()
        uids |= await _create_bad(stack, workspaces, bad[kind])
        yield await _ended(workspaces, kind, began)
        for result in (await counted.end()).results(f"until_{kind}_failed", 1, goals):
            yield result
    for result in await _after(workspaces, counted, uids):
        yield result
    await _remove(workspaces, list(uids))
    async for result in _beside(stack, workspaces):
        yield result
    stack.arm.change_settings(family_limits={})


def _of_quota(name: str) -> dict[str, Any]:
    return workspace(name, instance_type=SCARCE, replicas=2)


async def _create_bad(stack: Stack, workspaces: Workspaces, *bodies: dict[str, Any]) -> dict[str, str]:
    """Creates them; for those of an ordinary VM size the region has no machines from the start."""
    async with frozen(stack, "watcher"):  # no event may be handled before the faults are set
        uids = await workspaces.create(*bodies)
        for body in bodies:
            if body["resource"]["instanceType"] != SCARCE:
                pool = names.pool_name(uids[body["metadata"]["name"]])
                await asyncio.to_thread(stack.arm.add_fault, "allocation-failed", pool=pool)
    return uids


async def _ended(workspaces: Workspaces, kind: str, began: float) -> Result:
    """Raises ValueError if the status message has no number in it."""
    name = f"bad-{kind}"
    status = status_of((await workspaces.until([name], is_failed, WITHIN_S))[name])
    took, message = time.monotonic() - began, str(status["message"])
    if not any(character.isdigit() for character in message):
        raise ValueError(f"{name} ended without numbers: {message}")
    return Result(f"seconds_until_{kind}_failed", took, "s", f"{status['reason']}: {message}")


async def _after(workspaces: Workspaces, counted: Counted, uids: dict[str, str]) -> list[Result]:
    """Measures settled Workspaces: a minute without a resync, then the hourly resync, signalled rather than awaited."""
    await counted.begin()
    await asyncio.sleep(IDLE_S)
    results = (await counted.end()).results("of_a_failed_minute", len(uids) * IDLE_S / 60, (0.0, 0.0))
    await counted.begin()
    for name, uid in uids.items():
        await workspaces.handle(name).signal(SIGNAL_CHANGED, Changed(uid=uid, generation=0, resync=True))
    await asyncio.sleep(LOOKED_S)
    return results + (await counted.end()).results("of_the_hourly_look_at_failed", len(uids), HOURLY_GOALS)


async def _remove(workspaces: Workspaces, wanted: list[str]) -> None:
    await workspaces.delete(*wanted)
    await workspaces.until_gone(*wanted, within_s=WITHIN_S)


@dataclass(frozen=True)
class Taken:
    """Seconds until each of the good Workspaces was Ready."""

    alone: list[float]
    beside: list[float]


async def _beside(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    taken = Taken([], [])
    for number in range(ROUNDS):
        taken.alone.extend(await _good(workspaces, f"alone-{number}"))
        in_vain = [workspace(f"vain-{number}-{each}") for each in range(BAD_OF_CAPACITY)]
        await _create_bad(stack, workspaces, *in_vain)
        over = [_of_quota(f"over-{number}-{each}") for each in range(BAD_OF_QUOTA)]
        taken.beside.extend(await _good(workspaces, f"beside-{number}", *over))
        await _remove(workspaces, [body["metadata"]["name"] for body in (*in_vain, *over)])
        stack.arm.clear_faults()
    for share, name in ((0.5, "p50"), (0.95, "p95")):
        alone, beside = percentile(taken.alone, share), percentile(taken.beside, share)
        how = f"{GOOD} good ones at once, {ROUNDS} rounds"
        with_bad = f"{how}, beside {BAD_OF_QUOTA} over quota and {BAD_OF_CAPACITY} without capacity"
        yield Result(f"good_alone_{name}", alone, "s", how, n=len(taken.alone))
        yield Result(f"good_beside_bad_{name}", beside, "s", with_bad, n=len(taken.beside))
        yield Result(f"good_slowed_{name}", beside / alone, "ratio", with_bad, SLOWED_GOAL, len(taken.beside))


async def _good(workspaces: Workspaces, prefix: str, *bad: dict[str, Any]) -> list[float]:
    """Applies good and bad ones together; returns the seconds until each good one is Ready, once those are deleted."""
    wanted = [f"{prefix}-{number:02}" for number in range(GOOD)]
    task = await following(workspaces, READY, wanted, WITHIN_S)
    began = time.monotonic()
    await workspaces.create(*bad, *(workspace(name) for name in wanted))
    moments = (await task)["ready"]
    task = await following(workspaces, GONE, wanted, WITHIN_S)
    await workspaces.delete(*wanted)
    await task
    return [moment - began for moment in moments.values()]
