"""One round: many Workspaces stand in their steps, faults strike, all converge, all are deleted, everything is counted.

Each Workspace is judged for itself. A fault that was set at ARM and met nobody is no injection: that raises.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from tests.chaos.counting import follow, inventory, runs, what_is_left
from tests.chaos.faults import ProcessFault, WorkspaceFault
from tests.chaos.judging import COPIES, Evidence, Injection, Outcome, judged
from tests.chaos.standing import Scene, Stand, let_go, standing

# A worker lost in Size is missed after the step's own 90 s, then the rest of the way is to go.
ARRIVED_S: Final = 150.0
GONE_S: Final = 90.0
SETTLED_S: Final = 20.0


class FaultMissed(AssertionError):
    """A fault was set and nothing met it: the round has not tested what it says."""


async def process_round(scene: Scene, fault: ProcessFault) -> list[Outcome]:
    """The processes end while a Workspace stands in every step."""
    injections = fault.injections()
    async with standing(scene, injections) as stands:
        began = time.monotonic()
        struck = fault.strike(scene)
    await fault.mend(scene, struck)
    await let_go(scene)
    return await outcomes_of(scene, stands, began)


async def workspace_round(scene: Scene, faults: Sequence[WorkspaceFault]) -> list[Outcome]:
    """Every fault strikes a Workspace of its own in every step."""
    strikes = {fault.name: fault.strike for fault in faults}
    async with standing(scene, [one for fault in faults for one in fault.injections()]) as stands:
        began = time.monotonic()
        ids = await asyncio.gather(*(strikes[stand.injection.fault](scene, stand) for stand in stands))
    await let_go(scene)
    found = await outcomes_of(scene, stands, began)
    await require_met(scene, {stand.name: id_ for stand, id_ in zip(stands, ids, strict=True) if id_})
    return found


async def outcomes_of(
    scene: Scene, stands: Sequence[Stand], began: float, arrived_s: float = ARRIVED_S
) -> list[Outcome]:
    """Follows all until they have arrived, deletes them, and judges each by what there was and what is left."""
    goals = {stand.name: stand.injection.goal for stand in stands}
    arrived = await follow(scene.workspaces, goals, began, arrived_s)
    there = await inventory(scene.stack, scene.workspaces)
    wanted = await _generations(scene, stands)
    deleted = time.monotonic()
    await scene.workspaces.delete(*goals)
    gone = await follow(scene.workspaces, dict.fromkeys(goals, "gone"), deleted, GONE_S)
    left = await what_is_left(scene.stack, scene.workspaces, SETTLED_S)
    counted = await runs(scene.workspaces, goals)
    found = []
    for stand in stands:
        evidence = Evidence(
            arrived_s=arrived[stand.name],
            gone_s=gone[stand.name],
            copies=there.copies.get(stand.uid, {}),
            generations=(wanted.get(stand.name, 0), there.deployed.get(stand.uid, 0)),
            purchases=there.creations[stand.pool],
            runs=counted[stand.name],
            left=tuple(left.pop(stand.uid, [])),
        )
        found.append(judged(stand.injection, evidence))
    if left:
        found.append(judged(Injection("-", stands[0].injection.fault), nobodys(left)))
    return found


def nobodys(left: Mapping[str, Sequence[str]]) -> Evidence:
    """What is left and names none of the round's Workspaces is a leak too."""
    return Evidence(copies=COPIES["ready"], left=tuple(thing for things in left.values() for thing in things))


async def require_met(scene: Scene, ids: Mapping[str, str]) -> None:
    """Every ARM fault has been used up. Raises FaultMissed with the Workspaces whose fault struck nothing."""
    waiting = {fault["id"] for fault in await asyncio.to_thread(scene.stack.arm.faults)}
    missed = [name for name, id_ in ids.items() if id_ in waiting]
    if missed:
        raise FaultMissed(f"ARM was never asked what would have met the faults of: {', '.join(missed)}")


async def _generations(scene: Scene, stands: Sequence[Stand]) -> dict[str, int]:
    found = await asyncio.gather(*(scene.workspaces.get(stand.name) for stand in stands))
    return {one["metadata"]["name"]: one["metadata"]["generation"] for one in found if one is not None}
