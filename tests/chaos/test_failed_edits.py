"""A bad edit takes nothing down, whichever process ends in whichever of its steps."""

import signal

import pytest

from tests.chaos.failed_edits import edits_round
from tests.chaos.faults import PROCESS_FAULTS, ProcessFault
from tests.chaos.judging import Outcome
from tests.chaos.standing import Scene
from tests.chaos.table import complaints

KILLED = [fault for fault in PROCESS_FAULTS if fault.number is signal.SIGKILL]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", KILLED, ids=lambda fault: fault.name)
async def test_a_process_is_killed_in_any_step_of_a_bad_edit(
    scene: Scene, outcomes: list[Outcome], fault: ProcessFault
) -> None:
    found = await edits_round(scene, fault)
    outcomes += found
    assert complaints(found) == []
