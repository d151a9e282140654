"""How close a Workspace comes to the least time possible: max(nodes, weights) + load.

The stand-ins give each part a known time: the pool's operation NODES_S, a pod from bound to ready LOAD_S. The weights
are tiny here, so that the bound is NODES_S + LOAD_S; that they overlap is shown by the pods being there before the
nodes.
"""

import time
from typing import Final

from bench.figures import Figure, p50, tell
from tests.harness.pod_rules import PodRule, PodRules
from tests.harness.stack import ARM_SETTINGS, Stack
from tests.harness.workspaces import connected, workspace

ROUNDS: Final = 3
NODES_S: Final = 20.0
LOAD_S: Final = 10.0
GOAL: Final = 1.10


async def measure(stack: Stack) -> None:
    """Prints the ratio of the median time to ready over the bound."""
    stack.arm.change_settings(create_seconds=NODES_S)
    stack.set_pods(PodRules(pods=[PodRule(ready_seconds=LOAD_S)]))
    try:
        seconds = [await _one(stack, number) for number in range(ROUNDS)]
    finally:
        stack.arm.change_settings(**ARM_SETTINGS)
        stack.set_pods(PodRules())
    note = f"median of {ROUNDS}: {p50(seconds):.2f} s, nodes {NODES_S:g} s, load {LOAD_S:g} s"
    tell(Figure("time_to_ready_over_bound", p50(seconds) / (NODES_S + LOAD_S), "ratio", GOAL, note))


async def _one(stack: Stack, number: int) -> float:
    name = f"overlap-{number}"
    async with connected(stack.layout) as workspaces:
        started = time.monotonic()
        await workspaces.create(workspace(name))
        await workspaces.until_ready(name, within_s=180)
        seconds = time.monotonic() - started
        await workspaces.delete(name)
        await workspaces.until_gone(name, within_s=120)
    return seconds
