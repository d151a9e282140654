"""Calls to the API server and to ARM for one Workspace's life: created, Ready, deleted, gone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from bench.results import Result
from testing.api_calls import ApiCalls
from testing.stack import Stack
from testing.workspaces import Workspaces, workspace

ROUNDS: Final = 5
WITHIN_S: Final = 60.0
POLLS: Final = ("GET operation", "GET operationResult")


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Means over a few lives, one after another."""
    calls = ApiCalls(stack)
    await asyncio.to_thread(calls.begin)
    stack.arm.reset_calls()
    for number in range(ROUNDS):
        name = f"life-{number}"
        await workspaces.create(workspace(name))
        await workspaces.until_ready(name, within_s=WITHIN_S)
        await workspaces.delete(name)
        await workspaces.until_gone(name, within_s=WITHIN_S)
    api = await asyncio.to_thread(calls.end)
    arm = Counter(stack.arm.calls())
    polls = sum(arm.pop(route, 0) for route in POLLS)
    yield Result("api_calls_per_life", api.total() / ROUNDS, "calls", _by_call(api), n=ROUNDS)
    yield Result("arm_calls_per_life", arm.total() / ROUNDS, "calls", _by_call(arm), n=ROUNDS)
    how = "looks at operations under way: one for each polling interval (5 s unless ARM says otherwise) that they last"
    yield Result("arm_polls_per_life", polls / ROUNDS, "calls", how, n=ROUNDS)


def _by_call(calls: "Counter[str]") -> str:
    return ", ".join(f"{name} {count / ROUNDS:g}" for name, count in calls.most_common())
