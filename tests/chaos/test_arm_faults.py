"""Every fault of the ARM emulator, each met by a Workspace of its own: it arrives or fails as told, nothing is left."""

import asyncio
import time

import pytest

from api import names
from testing.faults.processes import frozen
from testing.workspaces import status_of, workspace
from tests.chaos.arm_cases import CASES, ArmCase
from tests.chaos.judging import Injection, Outcome
from tests.chaos.rounds import outcomes_of, require_met
from tests.chaos.standing import Scene, Stand
from tests.chaos.table import complaints

# A node that does not join has its whole deadline (120 s) before it is replaced.
ARRIVED_S = 240.0


@pytest.mark.timeout(600)
async def test_every_fault_of_arm(scene: Scene, outcomes: list[Outcome]) -> None:
    began = time.monotonic()
    stands, ids = await _create(scene)
    failing = [case for case in CASES if case.goal == "failed"]
    found, reasons = await asyncio.gather(outcomes_of(scene, stands, began, ARRIVED_S), _reasons(scene, failing))
    outcomes += found
    assert complaints(found) == []
    assert reasons == {name_of(case): case.reason for case in failing}
    await require_met(scene, ids)


def name_of(case: ArmCase) -> str:
    return "arm-" + case.name.lower().replace(" ", "-")


async def _create(scene: Scene) -> tuple[list[Stand], dict[str, str]]:
    """All Workspaces, and the id of the last fault of each that is to be used up."""
    async with frozen(scene.stack, "watcher"):  # nobody may see them before their faults are set
        uids = await scene.workspaces.create(*(workspace(name_of(case)) for case in CASES))
        stands = [
            Stand(Injection("ARM", case.name, case.goal, case.purchases), name_of(case), uids[name_of(case)])
            for case in CASES
        ]
        ids = await asyncio.to_thread(_set_faults, scene, uids)
    return stands, ids


def _set_faults(scene: Scene, uids: dict[str, str]) -> dict[str, str]:
    ids = {}
    for case in CASES:
        for fault in case.faults:
            made = scene.stack.arm.add_fault(**fault, pool=names.pool_name(uids[name_of(case)]))
            if "times" in fault:
                ids[name_of(case)] = str(made["id"])
    return ids


async def _reasons(scene: Scene, cases: list[ArmCase]) -> dict[str, str]:
    """The reasons of those that fail, read before everything is deleted."""
    wanted = [name_of(case) for case in cases]
    found = await scene.workspaces.until(wanted, lambda one: status_of(one).get("phase") == "Failed", ARRIVED_S)
    return {name: str(status_of(one)["reason"]) for name, one in found.items()}
