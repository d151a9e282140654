"""The smaller set of injections, in every step: what takes the least time to get over. All of them: `make chaos`.

And that the count sees what there is: of a Workspace that runs, everything would be left over.
"""

from collections.abc import AsyncIterator

import pytest

from testing.faults.slow_admission import slow_admission
from testing.stack import Stack
from testing.workspaces import Workspaces, workspace
from tests.chaos.counting import inventory, runs, what_is_left
from tests.chaos.faults import ARM_ANSWERS, PEOPLE, PROCESS_FAULTS
from tests.chaos.judging import COPIES
from tests.chaos.rounds import process_round, workspace_round
from tests.chaos.standing import Scene
from tests.chaos.table import complaints

EVERYTHING = {"Deployment", "Service", "ConfigMap", "Pod", "Node", "Workspace", "pool", "workflow"}


@pytest.fixture
async def scene(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Scene]:
    async with slow_admission(stack.layout, workspaces) as admission:
        yield Scene(stack, workspaces, admission)


async def test_the_count_sees_all_that_a_running_workspace_has(stack: Stack, workspaces: Workspaces) -> None:
    uid = (await workspaces.create(workspace("counted")))["counted"]
    await workspaces.until_ready("counted")
    left = await what_is_left(stack, workspaces, within_s=0)
    assert {thing.split()[0] for thing in left[uid]} == EVERYTHING
    there = await inventory(stack, workspaces)
    assert there.copies[uid] == COPIES["ready"] and there.deployed[uid] == 1
    assert (await runs(workspaces, ["counted"]))["counted"] == 1


async def test_both_workers_told_to_end_in_every_step(scene: Scene) -> None:
    fault = next(fault for fault in PROCESS_FAULTS if fault.name == "both workers ended")
    assert complaints(await process_round(scene, fault)) == []


async def test_lost_answers_and_deletes_in_every_step(scene: Scene) -> None:
    faults = [fault for fault in (*ARM_ANSWERS, *PEOPLE) if fault.name in ("ARM answer lost", "Workspace deleted")]
    assert complaints(await workspace_round(scene, faults)) == []
