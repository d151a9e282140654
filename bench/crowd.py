"""Two hundred Workspaces at once: seconds until all serve, memory of our processes, and what they ask for while idle.

Real API server, scheduler, controllers, Temporal and ARM stand-in; machines and pods are simulated. Memory is the
resident set of each process, sampled while the crowd is served, its highest value kept.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from bench.figures import Figure, tell
from bench.requests import api_server_requests, arm_requests
from deploy.local import product
from tests.harness.stack import Stack
from tests.harness.workspaces import connected, workspace

CROWD: Final = 200
READY_S: Final = 900.0
IDLE_S: Final = 120.0
IDLE_GOAL: Final = 1.0
SAMPLE_S: Final = 1.0
PAGE_MIB: Final = os.sysconf("SC_PAGE_SIZE") / 2**20
LIMITS: Final = {"pool_limit": CROWD + 50, "family_limit": 10**6, "regional_limit": 10**6}


async def measure(stack: Stack) -> None:
    """Prints seconds, memory and idle requests."""
    stack.arm.change_settings(**LIMITS)
    names = [f"crowd-{number:03d}" for number in range(CROWD)]
    async with connected(stack.layout) as workspaces:
        peaks: dict[str, float] = {}
        sampling = asyncio.create_task(_sample_memory(stack, peaks))
        started = time.monotonic()
        await workspaces.create(*(workspace(name) for name in names))
        await workspaces.until_ready(*names, within_s=READY_S)
        tell(Figure("crowd_ready", time.monotonic() - started, "s", None, f"{CROWD} Workspaces applied at once"))
        await _idle(stack)
        started = time.monotonic()
        await workspaces.delete(*names)
        await workspaces.until_gone(*names, within_s=READY_S)
        tell(Figure("crowd_gone", time.monotonic() - started, "s", None, f"{CROWD} Workspaces deleted at once"))
        sampling.cancel()
        _tell_memory(peaks)


async def _idle(stack: Stack) -> None:
    """Requests in a quiet time, per minute and Workspace."""
    await asyncio.sleep(10)
    before = api_server_requests(stack) + arm_requests(stack)
    await asyncio.sleep(IDLE_S)
    spent = (api_server_requests(stack) + arm_requests(stack)) - before
    per_minute = spent.total() / (IDLE_S / 60) / CROWD
    note = ", ".join(f"{count} {kind}" for kind, count in sorted(spent.items())) or "none"
    tell(Figure("idle_requests_per_workspace_minute", per_minute, "requests/min", IDLE_GOAL, f"{IDLE_S:g} s: {note}"))


async def _sample_memory(stack: Stack, peaks: dict[str, float]) -> None:
    while True:
        for program in product.PROGRAMS:
            pages = int(Path(f"/proc/{stack.pid(program.name)}/statm").read_text().split()[1])
            peaks[program.name] = max(peaks.get(program.name, 0.0), pages * PAGE_MIB)
        await asyncio.sleep(SAMPLE_S)


def _tell_memory(peaks: dict[str, float]) -> None:
    note = ", ".join(f"{name} {mib:.0f}" for name, mib in sorted(peaks.items()))
    tell(Figure("crowd_peak_memory", sum(peaks.values()), "MiB", None, f"sum of each process's own peak: {note}"))
