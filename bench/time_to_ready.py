"""Measures our share of the time to Ready, beyond what is unavoidable: the nodes, the weights and the model's load.

The emulator's machines take 10 s and the simulated pods are ready 5 s after they have a node: 15 s are outside our
control, the rest is ours. Real machines and models take minutes, so the share is smaller there.
"""

import time
from collections.abc import AsyncIterator
from typing import Final

from bench.results import Result, percentile
from testing.pods.rules import PodRule, PodRules
from testing.stack import ARM_SETTINGS, Stack
from testing.workspaces import Workspaces, workspace

NODES_S: Final = 10.0
LOAD_S: Final = 5.0
ROUNDS: Final = 5
GOAL: Final = 1.10
WITHIN_S: Final = 90.0


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """The median of a few Workspaces, one after another."""
    stack.arm.change_settings(create_seconds=NODES_S)
    stack.set_pods(PodRules(pods=[PodRule(ready_seconds=LOAD_S)]))
    seconds = [await _seconds_to_ready(workspaces, f"ready-{number}") for number in range(ROUNDS)]
    stack.arm.change_settings(**ARM_SETTINGS)
    stack.set_pods(PodRules())
    how = f"median time to Ready over {NODES_S:g} s nodes + {LOAD_S:g} s weights and load"
    yield Result("time_to_ready_ratio", percentile(seconds, 0.5) / (NODES_S + LOAD_S), "ratio", how, GOAL, ROUNDS)
    yield Result("time_to_ready", percentile(seconds, 0.5), "s", how, n=ROUNDS)


async def _seconds_to_ready(workspaces: Workspaces, name: str) -> float:
    """Polls five times a second; seconds are by the clock of this process."""
    began = time.monotonic()
    await workspaces.create(workspace(name))
    await workspaces.until_ready(name, within_s=WITHIN_S)
    took = time.monotonic() - began
    await workspaces.delete(name)
    await workspaces.until_gone(name, within_s=WITHIN_S)
    return took
