"""Every fault in every step: pools, nodes, objects and workflows are as they should be, afterwards nothing is left."""

import pytest

from tests.chaos.faults import ARM_ANSWERS, PEOPLE, PROCESS_FAULTS, ProcessFault, WorkspaceFault
from tests.chaos.judging import Outcome
from tests.chaos.rounds import process_round, workspace_round
from tests.chaos.standing import Scene
from tests.chaos.table import complaints

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("fault", PROCESS_FAULTS, ids=lambda fault: fault.name)
async def test_a_process_that_ends_in_any_step(scene: Scene, outcomes: list[Outcome], fault: ProcessFault) -> None:
    found = await process_round(scene, fault)
    outcomes += found
    assert complaints(found) == []


@pytest.mark.parametrize("faults", [ARM_ANSWERS, PEOPLE], ids=["ARM answers", "people"])
async def test_what_happens_to_one_workspace_in_any_step(
    scene: Scene, outcomes: list[Outcome], faults: tuple[WorkspaceFault, ...]
) -> None:
    found = await workspace_round(scene, faults)
    outcomes += found
    assert complaints(found) == []
