"""What one scheduled sweep costs in Actions: the only thing that an installation without Workspaces does."""

import asyncio
from collections import Counter
from typing import Final

from bench.lives.actions import read_actions
from testing.stack import Stack
from testing.workspaces import Workspaces
from workflows.sweep.schedule import SCHEDULE_ID

LOOK_S: Final = 1.0
WITHIN_S: Final = 900.0
"""A sweep pauses for two minutes, so that what is just being made is not taken for left over."""


async def actions_of_a_sweep(stack: Stack, workspaces: Workspaces) -> "Counter[str]":
    """Has the schedule start one now and waits for its end. Raises TimeoutError."""
    schedule = workspaces.client.get_schedule_handle(SCHEDULE_ID)
    started = (await schedule.describe()).info.num_actions
    before = await asyncio.to_thread(read_actions, stack.layout)
    await schedule.trigger()
    async with asyncio.timeout(WITHIN_S):
        while (now := (await schedule.describe()).info).num_actions == started or now.running_actions:
            await asyncio.sleep(LOOK_S)
    return await asyncio.to_thread(read_actions, stack.layout) - before
