"""Lives of Workspaces as data: what people do, what the watcher sends and when, and the troubles of activities.

Messages may be lost, repeated, late and in any order; only the newest is always sent, as the watcher promises. A life
ends well when what is there is what the newest generation wants, and after a delete nothing at all.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contract import signatures
from api import names
from api.resource.status import Phase
from testing.deadlines import PATIENCE_S
from testing.workflow_tasks import may_be_asked_again
from tests.fakes.troubles import Trouble
from tests.fakes.truth import Owned, Stored, Truth
from watcher.signals import to_temporal
from workflows.messages import SIGNAL_CHANGED, Changed
from workflows.state import WorkspaceState
from workflows.workspace import WorkspaceWorkflow

# So long without any change is standing still, on a busy machine too.
STANDING_S: Final = PATIENCE_S
LOOK_S: Final = 0.5
OTHER_MACHINE: Final = "Standard_NC48ads_A100_v4"
ACTIVITIES: Final = [one.name for one in signatures.ALL if hasattr(Truth, f"_{one.name}")]
# Longer than a cancellation takes to arrive.
LONG_S: Final = 6.0


@dataclass(frozen=True)
class Act:
    """One thing that happens, and the pause after it; `back` counts from the newest message back to the sent one."""

    what: str
    pause_s: float = 0.0
    back: int = 0


@dataclass(frozen=True)
class Life:
    """Acts in their order, messages that are sent again after the newest, and the troubles of each activity's calls."""

    acts: tuple[Act, ...]
    late: tuple[int, ...] = ()
    troubles: tuple[tuple[str, tuple[Trouble, ...]], ...] = ()


EVERYDAY = ("edit", "edit", "another machine", "another machine", "refused edit", "ask again", "lose a node")
ENDINGS = ("delete", "delete", "create", "create", "tear away")
_ACT = st.builds(
    Act,
    what=st.sampled_from(("send",) * 6 + EVERYDAY + ENDINGS),
    pause_s=st.sampled_from((0.0, 0.0, 0.02, 0.1, 0.4)),
    back=st.sampled_from((0, 0, 0, 1, 2, 5)),
)
_TROUBLE = st.builds(
    Trouble,
    before_s=st.sampled_from((0.0, 0.0, 0.05, 0.3, LONG_S)),
    after_s=st.sampled_from((0.0, 0.0, 0.05, 0.3)),
    fails=st.sampled_from(("none", "none", "passing", "passing", "final", "not-joined")),
    lost=st.booleans(),
)
_TROUBLES = st.dictionaries(
    st.sampled_from(ACTIVITIES), st.lists(_TROUBLE, min_size=1, max_size=2).map(tuple), max_size=4
)
LIVES = st.builds(
    Life,
    acts=st.lists(_ACT, min_size=3, max_size=12).map(tuple),
    late=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    troubles=_TROUBLES.map(lambda found: tuple(found.items())),
)


class LifeRun:
    """One life, lived."""

    def __init__(self, life: Life, truth: Truth, client: Client) -> None:
        self.life = life
        self.truth = truth
        truth.troubles = {name: list(troubles) for name, troubles in life.troubles}
        self._key = names.WorkspaceKey("default", truth.name)
        self.workflow_id = names.workflow_id(*self._key)
        self._send = to_temporal(client)
        self._handle: WorkflowHandle[WorkspaceWorkflow, list[str]] = client.get_workflow_handle_for(
            WorkspaceWorkflow.run, self.workflow_id
        )

    async def run(self) -> list[str]:
        """What went wrong; nothing in a good life."""
        self.truth.create()
        for act in self.life.acts:
            await self._do(act)
            await asyncio.sleep(act.pause_s)
        await self._send_message(0)
        for back in self.life.late:
            await self._send_message(back)
        complaints = await self._settled("in the end")
        if self.truth.there and not complaints:
            self.truth.delete()
            await self._send_message(0)
            complaints = await self._settled("after the delete")
        return self.truth.wrong + complaints

    async def _do(self, act: Act) -> None:
        truth = self.truth
        match act.what:
            case "send":
                await self._send_message(act.back)
            case "edit":
                truth.edit()
            case "another machine":
                truth.edit(machine=OTHER_MACHINE if truth.there and truth.there.machine != OTHER_MACHINE else FIRST)
            case "refused edit":
                truth.edit(refused=True)
            case "lose a node":
                truth.lose_a_node()
                await self._send_message(0)
            case "ask again":
                truth.ask_again()
            case "create":
                truth.create()
            case "delete":
                truth.delete()
            case "tear away":
                truth.tear_away()

    async def _send_message(self, back: int) -> None:
        messages = self.truth.messages
        await self._send(self._key, messages[max(0, len(messages) - 1 - back)])

    async def _settled(self, when: str) -> list[str]:
        """Waits until all is as it must be, and once more a little later, so that it is no passing moment."""
        before, since = "not checked yet", time.monotonic()
        while True:
            lacking = await self._checked()
            if not lacking and not before:
                return []
            if lacking != before:
                before, since = lacking, time.monotonic()
            elif time.monotonic() > since + STANDING_S:
                return [f"{when}: {lacking}"]
            await asyncio.sleep(LOOK_S)

    async def _checked(self) -> str:
        """As `_lacking`; a query that may be repeated is not an error."""
        try:
            return await self._lacking()
        except RPCError as error:
            if not may_be_asked_again(error):
                raise
            return f"the workflow cannot be queried: {error}"

    async def _lacking(self) -> str:
        """What is not as it must be in the end; empty when all is. Queries the workflow last: that costs a replay."""
        truth, there = self.truth, self.truth.there
        status = await self._status()
        running = status is WorkflowExecutionStatus.RUNNING
        if there and not there.deleting and truth.status.get("observedGeneration") != there.generation:
            if running:  # a clean-up before it may be stuck
                await self._as_a_person_would(await self._handle.query(WorkspaceWorkflow.progress))
            return f"{there} is there, users see {truth.status}"
        if status not in (None, WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED):
            return f"the workflow ended as {status}"
        if there is None and not running:
            return held(truth)
        if not running:
            return f"no workflow runs for {there}"
        state = await self._handle.query(WorkspaceWorkflow.progress)
        if there is None or there.deleting:
            await self._as_a_person_would(state)
            return f"{there} is there, the workflow is at {state.status.phase}, {state.status.reason}"
        if state.status.settled == "failed" and state.resources.to_release:
            await self._as_the_hour_would(there)
        return as_wanted(truth, there, state)

    async def _status(self) -> WorkflowExecutionStatus | None:
        try:
            return (await self._handle.describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def _as_a_person_would(self, state: WorkspaceState) -> None:
        """A clean-up that is not allowed to go on is tried again when it is."""
        if state.status.phase is not Phase.DELETING or state.status.reason != "CloudForbidden":
            return
        try:
            await self._handle.execute_update(WorkspaceWorkflow.retry)
        except WorkflowUpdateFailedError:
            return  # it has just gone on
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _as_the_hour_would(self, there: Stored) -> None:
        """What a failed pass could not give back is given back at the hourly look; nobody waits an hour here."""
        await self._handle.signal(SIGNAL_CHANGED, Changed(uid=there.uid, generation=0, resync=True))


FIRST: Final = Stored(uid="").machine


def held(truth: Truth) -> str:
    """What is held for nobody; empty for nothing."""
    things = [thing for thing in (truth.pool, truth.workload) if thing]
    return f"still held: {things}" if things else ""


def as_wanted(truth: Truth, there: Stored, state: WorkspaceState) -> str:
    """How what is there differs from what the newest generation comes to: serving, refused, or given back."""
    if (state.key.uid, state.spec.observed) != (there.uid, there.generation) or state.status.settled == "nothing":
        return f"{there} is there, the workflow is at {state.key.uid}, {state.spec.observed}, {state.status.reason}"
    if state.status.settled == "failed":
        return held(truth)
    if not there.finalizer or truth.pool is None or truth.workload is None:
        return f"ready with {truth.pool} and {truth.workload}, finalizer {there.finalizer}"
    if truth.pool.broken and state.status.phase is Phase.READY:
        return f"{state.status.phase} with {truth.pool}"
    wanted = Owned(there.uid, there.machine), Owned(there.uid, there.digest)
    if state.status.reason != "workspaceSucceeded":  # refused or failed: what served before goes on
        good = state.spec.good
        if good is None:
            return f"{state.status.reason}, and nothing has served before"
        wanted = Owned(there.uid, good.plan.instance_type), Owned(there.uid, good.plan.digest)
    return "" if (truth.pool, truth.workload) == wanted else f"{truth.pool}, {truth.workload} are not {wanted}"
