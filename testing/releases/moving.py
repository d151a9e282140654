"""Has Workspaces of a running local stack move to the workers that are current, as they do when something happens.

`runs.py` reads who carried them out.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

from temporalio.client import Client

from api import names
from deploy.local.layout import Layout
from process.settings import TemporalSettings
from process.temporal import connect
from testing.admin_api import tell_admin
from testing.deadlines import PATIENCE_S
from testing.releases.runs import Run, run_of, runs_of

AGAIN_S: Final = 10.0
"""A task may still go to an older worker, one that has the workflow cached and is about to end."""
LOOK_S: Final = 0.5


def move(stack: Layout, resting: Iterable[str], busy: Iterable[str], build: str) -> None:
    """Pauses and resumes each Workspace, once workers of this build have taken it over: one at rest continues as new,
    of one that is busy the run goes on. Raises AssertionError, httpx.HTTPError."""
    for name, rests in [*((name, True) for name in resting), *((name, False) for name in busy)]:
        _pause_until_moved(stack, name, build, rests=rests)
        tell_admin(stack, f"/workspaces/default/{name}/resume")


def all_runs(stack: Layout, workspaces: Iterable[str]) -> dict[str, Sequence[Run]]:
    """Every run of the workflow of each."""

    async def read() -> dict[str, Sequence[Run]]:
        client = await _client(stack)
        return {name: await runs_of(client, names.workflow_id("default", name)) for name in workspaces}

    return asyncio.run(read())


def _pause_until_moved(stack: Layout, name: str, build: str, *, rests: bool) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        tell_admin(stack, f"/workspaces/default/{name}/pause")
        again = time.monotonic() + AGAIN_S
        while time.monotonic() < again:
            run = asyncio.run(_present_run(stack, name))
            if run.builds and (run.builds[0] if rests else run.builds[-1]) == build:
                return
            time.sleep(LOOK_S)
    raise AssertionError(f"{name} is not with the workers of {build} after {PATIENCE_S:g} s: {run}")


async def _present_run(stack: Layout, name: str) -> Run:
    handle = (await _client(stack)).get_workflow_handle(names.workflow_id("default", name))
    return run_of((await handle.fetch_history()).events)


async def _client(stack: Layout) -> Client:
    return await connect(TemporalSettings(temporal_address=stack.temporal_address))
