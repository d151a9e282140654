"""Edits that fail, for the tests of what becomes of them."""

import asyncio
from typing import Any

from activities.contract import signatures as s
from activities.contract.failures import failure
from testing.deadlines import PATIENCE_S
from tests.workflows.conftest import Bench
from workflows.state import WorkspaceState

CRASH = failure("ContainerCrashLoopBackOff", "container serve ended: invalid tool call parser: qwen", final=True)


async def ready(bench: Bench, **made: Any) -> None:
    for name, value in made.items():
        setattr(bench.world, name, value)
    await bench.signal()
    await bench.settled()


async def failed_edit(bench: Bench, error: Exception = CRASH) -> WorkspaceState:
    bench.world.fail_next(s.WAIT_FOR_SERVING, error)
    await bench.edit(digest="digest-2")
    return await bench.settled()


async def next_run(bench: Bench, than: str | None) -> str | None:
    """The run that has taken the state over from this one."""
    assert bench.handle is not None
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await bench.handle.describe()).run_id) == than:
            await asyncio.sleep(0.1)
    return found


def condition(bench: Bench, type_: str) -> dict[str, Any]:
    return next(one for one in bench.world.statuses[-1]["conditions"] if one["type"] == type_)
