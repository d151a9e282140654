"""The writer of statuses: at once what somebody acts on, the rest joined, the newest only, and nothing lost or left."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.contract.payloads import Observed, StatusPatch, WorkspaceKey
from activities.status.writer import StatusWriter
from testing.deadlines import PATIENCE_S

KEY = WorkspaceKey(namespace="default", name="one", uid="uid-1")
SHORT_S = 0.3
FOUND = Observed(found=True, uid=KEY.uid)


def status(revision: int, *, phase: str = "Provisioning", message: str = "", key: WorkspaceKey = KEY) -> StatusPatch:
    return StatusPatch(workspace=key, status={"phase": phase, "message": message, "revision": revision})


@dataclass
class Written:
    """What the API server would have got; `errors` are raised by the next writes, one each, None for none."""

    patches: list[StatusPatch] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    errors: list[Exception | None] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    found: bool = True
    gone: list[WorkspaceKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    async def write(self, patch: StatusPatch) -> Observed:
        await self.gate.wait()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.patches.append(patch)
        self.times.append(asyncio.get_running_loop().time())
        return FOUND if self.found else Observed(found=False)

    async def report_gone(self, key: WorkspaceKey) -> None:
        self.gone.append(key)

    @property
    def revisions(self) -> list[int]:
        return [patch.revision for patch in self.patches]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture
async def written() -> Written:
    return Written()


@pytest.fixture
async def writer(written: Written) -> StatusWriter:
    return StatusWriter(written.write, written.report_gone, join_s=SHORT_S, gather_s=0.0)


@pytest.fixture
async def patient(written: Written) -> StatusWriter:
    """Joins for longer than any test takes."""
    return StatusWriter(written.write, written.report_gone, join_s=10 * PATIENCE_S, gather_s=0.0)


async def test_the_first_status_is_written_at_once(writer: StatusWriter, written: Written) -> None:
    writer.offer(status(1))
    await written.until(lambda: written.revisions == [1])


async def test_what_nobody_acts_on_is_joined(writer: StatusWriter, written: Written) -> None:
    writer.offer(status(1))
    await written.until(lambda: written.revisions == [1])
    for revision in range(2, 30):
        writer.offer(status(revision, message=f"step {revision}"))
        await asyncio.sleep(0)
    await written.until(lambda: 29 in written.revisions)
    assert written.revisions == [1, 29]
    assert written.times[1] - written.times[0] >= SHORT_S


async def test_short_steps_are_one_write(written: Written) -> None:
    writer = StatusWriter(written.write, written.report_gone, join_s=10 * PATIENCE_S, gather_s=SHORT_S)
    for revision, phase in enumerate(("Pending", "Preflight", "Provisioning"), start=1):
        writer.offer(status(revision, phase=phase))
        await asyncio.sleep(0)
    await written.until(lambda: written.revisions)
    assert written.revisions == [3]


async def test_who_waits_does_not_wait_for_a_burst_to_end(written: Written) -> None:
    writer = StatusWriter(written.write, written.report_gone, join_s=10 * PATIENCE_S, gather_s=10 * PATIENCE_S)
    writer.offer(status(1))
    async with asyncio.timeout(PATIENCE_S):
        await writer.confirm(status(2, phase="Ready"))
    assert written.revisions == [2]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"phase": "Ready"}, id="phase"),
        pytest.param({"reason": "QuotaExceeded"}, id="reason"),
        pytest.param({"observedGeneration": 2}, id="generation"),
        pytest.param({"conditions": [{"type": "InferenceReady", "status": "True"}]}, id="a condition's verdict"),
    ],
)
async def test_what_somebody_acts_on_is_not_joined(
    patient: StatusWriter, written: Written, changes: dict[str, Any]
) -> None:
    patient.offer(status(1))
    await written.until(lambda: written.revisions == [1])
    patient.offer(StatusPatch(workspace=KEY, status=status(2).status | changes))
    await written.until(lambda: written.revisions == [1, 2])


async def test_an_older_status_is_never_written_after_a_newer_one(writer: StatusWriter, written: Written) -> None:
    writer.offer(status(5))
    await written.until(lambda: written.revisions == [5])
    writer.offer(status(4, phase="Pending"))
    writer.offer(status(6, phase="Ready"))
    await written.until(lambda: 6 in written.revisions)
    assert written.revisions == [5, 6]


async def test_only_the_newest_is_written_after_an_outage(writer: StatusWriter, written: Written) -> None:
    written.errors = [TimeoutError(), TimeoutError()]
    writer.offer(status(1))
    await written.until(lambda: len(written.errors) < 2)
    writer.offer(status(2, phase="Deploying"))
    await written.until(lambda: written.revisions)
    assert written.revisions == [2]


async def test_a_confirmed_status_is_written_once(writer: StatusWriter, written: Written) -> None:
    writer.offer(status(1))
    assert await writer.confirm(status(1)) == FOUND
    assert await writer.confirm(status(1)) == FOUND
    assert written.revisions == [1]


async def test_a_confirmation_is_not_joined_with_what_comes_later(patient: StatusWriter, written: Written) -> None:
    patient.offer(status(1))
    await written.until(lambda: written.revisions == [1])
    async with asyncio.timeout(PATIENCE_S):
        await patient.confirm(status(2))
    assert written.revisions == [1, 2]


async def test_a_confirmation_of_an_older_status_ends_with_the_newer_one(
    writer: StatusWriter, written: Written
) -> None:
    written.gate.clear()
    writer.offer(status(2))
    confirming = asyncio.create_task(writer.confirm(status(1)))
    await asyncio.sleep(0)
    written.gate.set()
    assert await confirming == FOUND
    assert written.revisions == [2]


async def test_a_confirmation_raises_what_the_write_raised_and_the_write_goes_on(
    writer: StatusWriter, written: Written
) -> None:
    written.errors = [TimeoutError("the API server did not answer")]
    with pytest.raises(TimeoutError, match="did not answer"):
        await writer.confirm(status(1))
    await written.until(lambda: written.revisions == [1])


async def test_the_workflow_of_a_workspace_that_is_gone_is_told_and_nothing_more_is_written(
    writer: StatusWriter, written: Written
) -> None:
    written.found = False
    writer.offer(status(1))
    await written.until(lambda: written.gone == [KEY])
    assert (await writer.confirm(status(1))).found is False
    assert written.revisions == [1]


async def test_a_ghost_with_a_victims_uid_does_not_tell_the_victim_that_it_is_gone(
    writer: StatusWriter, written: Written
) -> None:
    writer.offer(status(1))
    await written.until(lambda: written.revisions == [1])
    written.found = False
    ghost = KEY.model_copy(update={"namespace": "tenant-a", "name": "ghost"})
    assert not (await writer.confirm(status(2, key=ghost))).found
    await written.until(lambda: written.gone)
    assert written.gone == [ghost]


async def test_what_is_forgotten_is_not_written(writer: StatusWriter, written: Written) -> None:
    writer.offer(status(1))
    await written.until(lambda: written.revisions == [1])
    writer.offer(status(2))  # is joined with what may come
    writer.forget(KEY)
    other = KEY.model_copy(update={"uid": "uid-2"})
    writer.offer(status(1, key=other))
    await asyncio.sleep(1.5 * SHORT_S)
    assert [(patch.workspace.uid, patch.revision) for patch in written.patches] == [("uid-1", 1), ("uid-2", 1)]


async def test_a_process_that_stops_writes_what_was_to_be_joined(patient: StatusWriter, written: Written) -> None:
    patient.offer(status(1))
    await written.until(lambda: written.revisions == [1])
    patient.offer(status(2))
    await asyncio.sleep(0)
    await patient.drain()
    assert written.revisions == [1, 2]


async def test_one_workspace_does_not_hold_up_another(writer: StatusWriter, written: Written) -> None:
    written.errors = [TimeoutError()] * 3
    writer.offer(status(1))
    await written.until(lambda: len(written.errors) < 3)
    written.errors = []
    other = KEY.model_copy(update={"uid": "uid-2"})
    writer.offer(status(1, key=other))
    await written.until(lambda: any(patch.workspace == other for patch in written.patches))


async def test_nothing_is_kept_of_a_workspace_at_rest(writer: StatusWriter, written: Written) -> None:
    keys = [KEY.model_copy(update={"uid": f"uid-{number}"}) for number in range(100)]
    for key in keys:
        writer.offer(status(1, key=key))
    await written.until(lambda: len(written.patches) == len(keys))
    await written.until(lambda: writer.kept == 0)
