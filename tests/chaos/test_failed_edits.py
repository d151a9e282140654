"""A bad edit takes nothing down, whichever process ends in whichever of its steps, and is told of at once."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import pytest

from activities.contract.signatures import WAIT_FOR_SERVING
from testing.faults.bad_edits import EDITS, carry_out, forget_options, is_told_of, make
from testing.pods.rules import PodRules
from testing.workspaces import PRESET, Workspaces
from tests.chaos.failed_edits import UNPULLED_S, edits_round
from tests.chaos.faults import PROCESS_FAULTS, ProcessFault
from tests.chaos.judging import Outcome
from tests.chaos.standing import Scene
from tests.chaos.table import complaints
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow

KILLED = [fault for fault in PROCESS_FAULTS if fault.number is signal.SIGKILL]
OF_EACH = 5
TOLD_WITHIN = timedelta(seconds=5)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", KILLED, ids=lambda fault: fault.name)
async def test_a_process_is_killed_in_any_step_of_a_bad_edit(
    scene: Scene, outcomes: list[Outcome], fault: ProcessFault
) -> None:
    found = await edits_round(scene, fault)
    outcomes += found
    assert complaints(found) == []


@pytest.mark.timeout(900)
async def test_the_status_tells_of_a_verdict_within_five_seconds(scene: Scene) -> None:
    edits = {f"told-{edit}-{number}": edit for edit in EDITS for number in range(OF_EACH)}
    await make(scene.workspaces, {name: (edit, PRESET) for name, edit in edits.items()})
    await scene.workspaces.until_ready(*edits)
    for name in (name for name, edit in edits.items() if EDITS[edit].unpulled):
        deadline = Deadline(serving=UNPULLED_S)
        await scene.workspaces.handle(name).execute_update(WorkspaceWorkflow.set_deadline, deadline)
    rules = PodRules(pods=[one.rule(f"told-{edit}-*") for edit, one in EDITS.items()])
    await asyncio.to_thread(scene.stack.set_pods, rules)
    telling = [asyncio.create_task(_told_at(scene.workspaces, name)) for name in edits]
    await asyncio.gather(*(carry_out(scene.workspaces, edit, name) for name, edit in edits.items()))
    told = dict(zip(edits, await asyncio.gather(*telling), strict=True))
    took = sorted([told[name] - await _verdict_at(scene.workspaces, name) for name in edits])
    print(f"verdict to status: median {took[len(took) // 2]}, longest {took[-1]} of {len(took)}")
    await scene.workspaces.delete(*edits)
    await scene.workspaces.until_gone(*edits)
    await forget_options(scene.workspaces, *edits)
    assert took[-1] < TOLD_WITHIN


async def _told_at(workspaces: Workspaces, name: str) -> datetime:
    await workspaces.until([name], is_told_of)
    return datetime.now(UTC)


async def _verdict_at(workspaces: Workspaces, name: str) -> datetime:
    """When the first wait for serving ended with a failure."""
    waits = set[int]()
    async for event in workspaces.handle(name).fetch_history_events():
        if event.activity_task_scheduled_event_attributes.activity_type.name == WAIT_FOR_SERVING.name:
            waits.add(event.event_id)
        if event.activity_task_failed_event_attributes.scheduled_event_id in waits:
            return event.event_time.ToDatetime(UTC)
    raise AssertionError(f"{name}: no wait for serving has failed")
