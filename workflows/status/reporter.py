"""Tracks the current step and writes the Workspace's status, coalescing bursts of changes into one write.

Every change marks the status as dirty; one task writes the newest one. A failed write does not stop the workflow; the
next change retries it.
"""

import asyncio
from datetime import timedelta
from types import TracebackType

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.payloads import StatusPatch
from api.resource.status import Phase, Step
from workflows.activity_calls import call, is_cancelled
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


class StatusReporter:
    """Steps and phase of one Workspace, and the task that reports them."""

    def __init__(self, state: WorkspaceState) -> None:
        self.state = state
        self.gone = False
        self.resting = False
        self._closed = False
        self._version = 0
        self._written = 0
        self._phase_shown: Phase | None = None

    def set_status(self, phase: Phase, reason: str, message: str, *, wait: timedelta | None = None) -> None:
        """Sets phase, reason and message; `wait` is how long the phase may last."""
        status = self.state.status
        if (status.phase, status.reason) != (phase, reason):
            status.since = workflow.now()
        status.phase, status.reason, status.message = phase, reason, message
        status.deadline = workflow.now() + wait if wait else None
        self.mark_dirty()

    def mark_dirty(self) -> None:
        """Schedules a status write, and updates the current details and, on a new phase, the search attributes."""
        self._version += 1
        workflow.set_current_details(content.current_details(self.state))
        phase = self.state.status.phase
        if phase is not self._phase_shown:
            self._phase_shown = phase
            workflow.upsert_search_attributes(search_attributes.of_state(self.state))

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

    async def run(self) -> None:
        """Writes the newest status whenever the last one written is stale, until `close` is called."""
        while True:
            await workflow.wait_condition(lambda: self._closed or self._version != self._written)
            if self._closed:
                return
            version = self._version
            await self._write()
            self._written = version

    async def backoff(self, pause: timedelta) -> None:
        """Waits for `pause`, or until `wake` is called."""
        self.resting = True
        try:
            await workflow.wait_condition(
                lambda: not self.resting, timeout=pause, timeout_summary="Backoff: wait for the next try"
            )
        except TimeoutError:
            self.resting = False

    def wake(self) -> None:
        """Ends a `backoff`."""
        self.resting = False

    def close(self) -> None:
        """Stops `run`; a write under way completes first, so that no activity outlives the workflow."""
        self._closed = True

    async def flush(self) -> None:
        """Returns when everything recorded so far has been written, or its write has failed."""
        target = self._version
        await workflow.wait_condition(lambda: self._written >= target)

    async def _write(self) -> None:
        state = self.state
        document = content.status_document(state, workflow.now())
        patch = StatusPatch(workspace=state.key, status=document)
        try:
            summary = f"Status: write {state.status.phase}: {state.status.message[:120]}"
            seen = await call(signatures.PATCH_STATUS, patch, summary=summary)
        except ActivityError as error:
            if is_cancelled(error):
                raise asyncio.CancelledError from None
            workflow.logger.warning("the status could not be written", extra={"cause": str(error.cause)})
            return
        self.gone = self.gone or not seen.found
