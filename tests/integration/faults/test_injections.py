"""The smaller set of injections, in every step: what takes the least time to get over. All of them: `make chaos`."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.faults import ARM_ANSWERS, PEOPLE, PROCESS_FAULTS
from tests.chaos.rounds import process_round, workspace_round
from tests.chaos.standing import Scene
from tests.chaos.table import complaints
from tests.harness.slow_admission import slow_admission
from tests.harness.stack import Stack
from tests.harness.workspaces import Workspaces


@pytest.fixture
async def scene(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Scene]:
    async with slow_admission(stack.layout, workspaces) as admission:
        yield Scene(stack, workspaces, admission)


async def test_both_workers_told_to_end_in_every_step(scene: Scene) -> None:
    fault = next(fault for fault in PROCESS_FAULTS if fault.name == "both workers ended")
    assert complaints(await process_round(scene, fault)) == []


async def test_lost_answers_and_deletes_in_every_step(scene: Scene) -> None:
    faults = [fault for fault in (*ARM_ANSWERS, *PEOPLE) if fault.name in ("ARM answer lost", "Workspace deleted")]
    assert complaints(await workspace_round(scene, faults)) == []
