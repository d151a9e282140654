"""Tracks the current step and offers the Workspace's status to the worker's writer, once per workflow task.

Every change marks the status as dirty; one task offers the newest one, outside of the history. Where the workflow
rests, `rest` makes sure that the status is written, also if the worker's process died meanwhile.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.contract import signatures
from activities.contract.payloads import Sighting, StatusPatch
from activities.contract.status_sink import forget_status, offer_status
from api.resource.status import Phase, Step
from workflows.activity_calls import call_locally, is_cancelled, stop
from workflows.state import StepOutcome, StepRecord, WorkspaceState
from workflows.status import content, search_attributes


class _Recorded:
    """Context manager of a running step. Not a generator: those are collected before the coroutine that holds them."""

    def __init__(self, reporter: "StatusReporter", step: Step) -> None:
        self._reporter, self._step = reporter, step

    def __enter__(self) -> None:
        self._record = self._reporter.begin(self._step)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, GeneratorExit):  # the worker evicted the workflow; this runs outside of any workflow
            return
        outcome: StepOutcome = "done"
        if error is not None:
            outcome = "cancelled" if is_cancelled(error) else "failed"
        self._reporter.end(self._record, outcome)


class _Held:
    """Context manager of the removal of the finalizer; if that fails, the writes go on. No generator, as above."""

    def __init__(self, reporter: "StatusReporter") -> None:
        self._reporter = reporter

    def __enter__(self) -> None:
        self._reporter.hold(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, FailureError):
            self._reporter.hold(False)


class StatusReporter:
    """Steps and phase of one Workspace, and the task that reports them."""

    def __init__(self, state: WorkspaceState) -> None:
        self.state = state
        self.sighting: Sighting | None = None
        """The Workspace as the newest message told of it; None once the status is confirmed, which changes it."""
        self.gone = False
        self.resting = False
        self._reporting: asyncio.Task[None] | None = None
        self._confirming: asyncio.Task[None] | None = None
        self._closed = False
        self._vanished = False
        self._held = False
        self._version = 0
        self._revised = 0
        self._offered = 0
        self._replayed = False
        self._confirmed = 0
        self._to_confirm = False

    def set_status(self, phase: Phase, reason: str, message: str, *, wait: timedelta | None = None) -> None:
        """Sets phase, reason and message; `wait` is how long the phase may last."""
        status = self.state.status
        if (status.phase, status.reason) != (phase, reason):
            status.since = workflow.now()
        status.phase, status.reason, status.message = phase, reason, message
        status.deadline = workflow.now() + wait if wait else None
        self.mark_dirty()

    def mark_dirty(self) -> None:
        """Schedules an offer, and updates the current details and, on a new phase, the search attributes. Raises what
        went wrong in an earlier offer, which is a bug."""
        if self._reporting is not None and self._reporting.done():
            self._reporting.result()
        self._version += 1
        self.show()

    def show(self) -> None:
        """Shows the state in the Temporal UI. Search attributes cost an event, so they change with the phase only; a
        server that lacks them would refuse the whole workflow task."""
        workflow.set_current_details(content.current_details(self.state))
        if not self.state.control.searchable:
            return
        shown = workflow.info().typed_search_attributes
        if shown.get(search_attributes.PHASE) != self.state.status.phase:
            wanted = search_attributes.of_state(self.state)
            workflow.upsert_search_attributes(search_attributes.changes(shown, wanted))

    def step(self, step: Step) -> "_Recorded":
        """Records a step's beginning, end and outcome around a `with` block."""
        return _Recorded(self, step)

    def begin(self, step: Step) -> StepRecord:
        """Records that the step begins now."""
        record = StepRecord(step=step, started=workflow.now())
        self.state.status.steps.append(record)
        self.mark_dirty()
        return record

    def end(self, record: StepRecord, outcome: StepOutcome) -> None:
        """Records that the step ends now."""
        ended = record.model_copy(update={"ended": workflow.now(), "outcome": outcome})
        steps = self.state.status.steps
        steps[:] = [ended if known is record else known for known in steps]
        self.mark_dirty()

    @property
    def unwritten(self) -> bool:
        """Whether the newest status is not known to be written."""
        return self._confirmed != self._version

    def start(self, *, unwritten: bool) -> None:
        """Begins to offer the newest status whenever it has changed, until `close`. After a continue-as-new it has not,
        unless the run before has left it `unwritten`."""
        if unwritten or self.state.status.revision == 0:
            self.mark_dirty()
        else:
            self.show()
        self._reporting = asyncio.create_task(self._report())

    async def _report(self) -> None:
        while True:
            await workflow.wait_condition(lambda: self._closed or self._to_offer())
            if self._closed:
                return
            self._offered, self._replayed = self._version, workflow.unsafe.is_replaying()
            patch = self._patch()
            if not self._replayed:
                offer_status(patch)

    def _to_offer(self) -> bool:
        """Whether the status has changed, or was last due in a replay, where nothing is handed over."""
        changed = self._version != self._offered or (self._replayed and not workflow.unsafe.is_replaying())
        return changed and not (self._vanished or self._held)

    async def backoff(self, pause: timedelta) -> None:
        """Waits for `pause`, or until `wake` is called."""
        self.resting = True
        self.rest()
        try:
            await workflow.wait_condition(
                lambda: not self.resting, timeout=pause, timeout_summary="Backoff: wait for the next try"
            )
        except TimeoutError:
            self.resting = False

    def wake(self) -> None:
        """Ends a `backoff`."""
        self.resting = False

    def vanish(self) -> None:
        """Records that the Workspace does not exist any more: the workflow ends, and nothing is written."""
        self.gone = self._vanished = True

    def held(self) -> "_Held":
        """Writes nothing while the finalizer is removed, which ends the object; what is not written yet is dropped."""
        return _Held(self)

    def hold(self, held: bool) -> None:
        """Stops the writes, or lets them go on."""
        self._held = held
        if held:
            forget_status(self.state.key)

    async def close(self) -> None:
        """Ends the reports: nothing is written any more. Raises what went wrong in them."""
        self._closed = True
        forget_status(self.state.key)
        if self._confirming is not None:
            await stop([self._confirming])
        if self._reporting is not None:
            await self._reporting

    def rest(self) -> None:
        """Makes sure that the status is written, beside whatever the workflow waits for. Call where it rests."""
        self._to_confirm = self.unwritten
        if self._to_confirm and (self._confirming is None or self._confirming.done()):
            self._confirming = asyncio.create_task(self._confirm())

    async def flush(self, *, unless: Callable[[], bool]) -> None:
        """Returns when everything recorded so far has been written, or its write was refused, or `unless` holds."""
        self.rest()
        await workflow.wait_condition(lambda: self._confirming is None or self._confirming.done() or unless())

    async def _confirm(self) -> None:
        """Runs the write as an activity, which a local one is if all goes well: that one costs one event."""
        while self._to_confirm and not (self._closed or self._vanished or self._held):
            self._to_confirm, version, status = False, self._version, self.state.status
            summary = f"Status: write {status.phase}: {status.message[:120]}"
            try:
                seen = await call_locally(signatures.PATCH_STATUS, self._patch(), summary=summary)
            except ActivityError as error:
                if is_cancelled(error):
                    raise asyncio.CancelledError from None
                workflow.logger.warning("the status could not be written", extra={"cause": str(error.cause)})
            else:
                if not seen.found:
                    self.vanish()
            self._confirmed, self.sighting = version, None

    def _patch(self) -> StatusPatch:
        """Returns the newest status. Its revision grows with the version, so that the same status keeps its own."""
        now, status = workflow.now(), self.state.status
        if self._version != self._revised:
            self._revised = self._version
            status.revision = max(status.revision + 1, int(now.timestamp() * 1000))
        document = content.status_document(self.state, now)
        return StatusPatch(workspace=self.state.key, status=document, sighting=self.sighting)
