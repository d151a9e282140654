"""Bad edits brought to a stand in every step of their way: while they are carried out, and while what served before is
put back. Processes end there; all the same what served before serves again, on the nodes that were bought for it.

What holds a step is what holds it elsewhere (`standing.py`): an admission webhook, pods that load, a completion.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from api.resource.status import Step
from testing.faults.bad_edits import EDITS, carry_out, forget_options, make
from testing.faults.holding import HANGING, LONG_S
from testing.pods.rules import AnswerRule, PodRule, PodRules
from testing.workspaces import PRESET
from tests.chaos.faults import ProcessFault
from tests.chaos.judging import Injection, Outcome
from tests.chaos.rounds import outcomes_of
from tests.chaos.standing import LOOK_S, WITHIN_S, Scene, Stand
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow

WAYS: Final[Mapping[str, tuple[Step, bool]]] = {
    "Deploy": (Step.DEPLOY, False),
    "AwaitServing": (Step.AWAIT_SERVING, False),
    "Restore": (Step.RESTORE, True),
    "AwaitServing again": (Step.AWAIT_SERVING, True),
    "Verify again": (Step.VERIFY, True),
}
"""The steps, and whether the edit has failed by then."""
PLACES: Final = {
    f"{edit} {way}": (edit, way) for edit in EDITS for way in WAYS if (edit, way) != ("image", "Verify again")
}
"""A user's template is not verified."""
EDIT_STEPS: Final = tuple(PLACES)
# An image that is not there has the deadline of serving; of those that wait for it while others are brought to a stand
# it is the usual one (testing/deadlines.py).
UNPULLED_S: Final = 20
ARRIVED_S: Final = 300.0


async def edits_round(scene: Scene, fault: ProcessFault) -> list[Outcome]:
    """The processes end while a bad edit stands in every step."""
    async with standing_edits(scene, fault.name) as stands:
        began = monotonic()
        struck = fault.strike(scene)
        await fault.mend(scene, struck)
        await asyncio.to_thread(
            scene.stack.set_pods, PodRules(pods=[one.rule(f"*-{edit}-*") for edit, one in EDITS.items()])
        )
        scene.admission.release()
        return await outcomes_of(scene, stands, began, ARRIVED_S)


@asynccontextmanager
async def standing_edits(scene: Scene, fault: str) -> AsyncIterator[list[Stand]]:
    """Workspaces that served, each with a bad edit in the step of its injection."""
    names = {name_of(fault, place): place for place in PLACES}
    presets = {name: HANGING if place.endswith("Verify again") else PRESET for name, place in names.items()}
    uids = await make(scene.workspaces, {name: (PLACES[place][0], presets[name]) for name, place in names.items()})
    await scene.workspaces.until_ready(*uids, within_s=WITHIN_S)
    for name, place in names.items():
        if PLACES[place][0] == "image" and PLACES[place][1] != "AwaitServing":
            deadline = Deadline(serving=UNPULLED_S)
            await scene.workspaces.handle(name).execute_update(WorkspaceWorkflow.set_deadline, deadline)
    await _hold(scene, names)
    await asyncio.gather(*(carry_out(scene.workspaces, PLACES[place][0], name) for name, place in names.items()))
    await _until_standing(scene, names)
    yield [Stand(Injection(place, fault, goal="restored"), name, uids[name]) for name, place in names.items()]
    await forget_options(scene.workspaces, *names)


def name_of(fault: str, place: str) -> str:
    """`watcher-killed-parser-restore`; the pod rules go by the edit in it."""
    return f"{fault} {place}".lower().replace(" ", "-")


async def _hold(scene: Scene, names: Mapping[str, str]) -> None:
    served = {name: await _served(scene, name) for name in names}
    away = {name: digest for name, digest in served.items() if names[name].endswith(" Deploy")}
    back = {name: digest for name, digest in served.items() if names[name].endswith(" Restore")}
    scene.admission.hold_changes(away=away, back=back)
    rules = []
    for name, place in names.items():
        edit, way = PLACES[place]
        loading = PodRule(workspace=name, given=EDITS[edit].given, ready_seconds=LONG_S)
        rules.append(loading if way == "AwaitServing" else EDITS[edit].rule(name))
        if way == "AwaitServing again":
            rules.append(PodRule(workspace=name, ready_seconds=LONG_S))
    answers = [AnswerRule(model=HANGING, seconds=LONG_S)]
    await asyncio.to_thread(scene.stack.set_pods, PodRules(pods=rules, answers=answers))


async def _served(scene: Scene, name: str) -> str:
    state = await scene.workspaces.progress(name)
    assert state.spec.good is not None
    return state.spec.good.plan.digest


async def _until_standing(scene: Scene, names: Mapping[str, str]) -> None:
    """Until each is in its step. Raises TimeoutError that names the others."""
    deadline = monotonic() + WITHIN_S
    while missing := [name for name, place in names.items() if not await _stands(scene, name, PLACES[place][1])]:
        if monotonic() > deadline:
            raise TimeoutError(f"not in their steps after {WITHIN_S:g} s: {', '.join(missing)}")
        await asyncio.sleep(LOOK_S)


async def _stands(scene: Scene, name: str, way: str) -> bool:
    state = await scene.workspaces.progress(name)
    step, failed = WAYS[way]
    running = [record.step for record in state.status.steps if record.outcome == "running"]
    return step in running and failed == (state.spec.failed is not None)
