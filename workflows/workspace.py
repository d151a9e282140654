"""The entity workflow: one per Workspace, for the lifetime of the Workspace.

Observe, compare, act, report, wait: all work happens in one loop. A newer generation or a delete supersedes the pass
under way: it is cancelled, its activities confirm the cancellation, and what it holds stays recorded. Clean-up always
runs to completion. handlers.py records what the loop is told, passes.py carries out a pass, steps/cleanup.py releases
resources, and resync.py checks a settled Workspace for drift.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.contract import signatures
from api.resource.status import Phase
from workflows import pausing, resync
from workflows.activity_calls import await_uncancelled, call, reason_and_message
from workflows.handlers import Handlers
from workflows.messages import Changed, WorkspaceInput
from workflows.passes import remember_older, run_pass
from workflows.patches import ENDS_UNWRITTEN, patched
from workflows.run_length import RunLength
from workflows.state import Control, WorkspaceState
from workflows.steps import cleanup


@workflow.defn(name="Workspace")
class WorkspaceWorkflow(Handlers):
    """One Workspace, from the first event until its finalizer is removed."""

    @workflow.init
    def __init__(self, seed: WorkspaceInput) -> None:
        super().__init__(seed.state or WorkspaceState(key=seed.key, control=Control(searchable=seed.searchable)))
        remember_older(self.state)
        self._seed = seed
        self._length = RunLength(seed.history_limit)
        self._hour: asyncio.Task[None] | None = None
        self._due = False

    @workflow.run
    async def run(self, seed: WorkspaceInput) -> list[str]:
        """Returns the resources left behind: none, unless the clean-up was stopped by `force_cleanup`."""
        self.reporter.start(unwritten=seed.unwritten)
        try:
            while not self._ending():
                await self._step()
        except asyncio.CancelledError:  # cancelling the workflow is treated as a delete
            self.state.spec.deleting = True
        cleaning = asyncio.create_task(self.successor.run_while_reporting(self._finalize))
        await await_uncancelled(cleaning)
        left = await cleaning
        await self.reporter.close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        checking = asyncio.create_task(self.successor.successor())
        await await_uncancelled(checking)
        self._hand_over(checking.result())
        return left

    def has_begun(self) -> bool:
        """Whether resources are held: an edit then goes before the beginnings of others."""
        return bool(self.state.resources.holdings)

    async def _step(self) -> None:
        """Waits for something to do, then does one thing."""
        await self._idle()
        await self.successor.check_message()
        if self._ending():
            return
        control = self.state.control
        requested, control.look, self._due = control.look or self._due, False, False
        if self._stale():
            await self._reconcile()
        elif requested and (drift := await resync.drift_of(self.reporter)) != "none":
            await self._reconcile(restore=drift == "served" and not self._stale())
        if self._length.is_over() and not self._ending():
            if not patched(ENDS_UNWRITTEN):
                await self.reporter.flush(unless=self._ending)
            if not (self._ending() or self._look_wanted() or self._retry or self.successor.message):
                self._continue_as_new(self.state)

    async def _idle(self) -> None:
        if self.state.control.resting and self._has_work():
            pausing.report(self.reporter)
        if not self._awake():
            self.reporter.rest()
        if self._hour is None or self._hour.done():
            self._hour = asyncio.create_task(self._look_in_an_hour())
        await workflow.wait_condition(self._awake)

    async def _look_in_an_hour(self) -> None:
        """One timer for all edits of an hour: stopping it and starting another costs two events each time."""
        await workflow.sleep(
            resync.interval_of(self.state.key.uid), summary="The hourly resync, when nothing is under way"
        )
        self._due = True

    def _awake(self) -> bool:
        """Whether there is something to do."""
        return self._ending() or self._stale() or self._look_wanted() or self.successor.message is not None

    def _look_wanted(self) -> bool:
        return self.state.control.look or self._due

    def _stale(self) -> bool:
        return self._has_work() and not self.state.control.resting

    def _has_work(self) -> bool:
        spec = self.state.spec
        return spec.desired > spec.observed or self._retry

    async def _reconcile(self, *, restore: bool = False) -> None:
        """Runs one pass until it is settled or superseded; `restore`: of what serves instead of the newest
        generation."""
        generation, self._retry = self.state.spec.desired, False
        work = asyncio.create_task(run_pass(self.reporter, restore=restore))
        try:
            await workflow.wait_condition(lambda: work.done() or self._superseded(generation))
        except asyncio.CancelledError:
            self.state.spec.deleting = True
        if not work.done():
            work.cancel()
        if await await_uncancelled(work):
            self.state.spec.deleting = True
        if not work.cancelled():
            await work

    def _superseded(self, generation: int) -> bool:
        return self._ending() or self.state.spec.desired > max(generation, self.state.spec.observed)

    # Continue-as-new.

    def _continue_as_new(self, state: WorkspaceState) -> None:
        """Call only when no message is pending that the state does not hold, no activity runs but the write of the
        status, and never upon its result: a message that comes meanwhile is handed over after it (call_locally)."""
        facts = {"key": state.key, "state": state, "unwritten": self.reporter.unwritten}
        workflow.continue_as_new(self._seed.model_copy(update=facts))

    def _hand_over(self, next_one: Changed | None) -> None:
        """Continues as new for a successor. Call right after draining signals; no await may come in between."""
        if next_one is not None and not next_one.deleting:
            key = self.state.key.model_copy(update={"uid": next_one.uid})
            self._continue_as_new(next_one.beginning(key, searchable=self.state.control.searchable))

    # Deletion.

    async def _finalize(self) -> list[str]:
        """Releases everything and removes the finalizer. A blocked clean-up waits for a retry or `force_cleanup`; the
        finalizer stays meanwhile."""
        self.reporter.set_status(Phase.DELETING, "Releasing", "releasing everything that was bought")
        self.state.status.steps.clear()
        while True:
            work = asyncio.create_task(cleanup.finalize(self.reporter))
            await self._done_or_forced(work)
            if work.cancelled() or self._forced:
                return await self._release_by_force()
            try:
                await work
                return []
            except FailureError as error:
                await self._blocked(error)

    async def _done_or_forced(self, work: "asyncio.Task[None]") -> None:
        await workflow.wait_condition(lambda: work.done() or self._forced)
        if not work.done():
            work.cancel()
        await await_uncancelled(work)

    async def _blocked(self, error: FailureError) -> None:
        reason, message = reason_and_message(error)
        left = ", ".join(self._left()) or "the finalizer"
        message += f"; not released: {left}. Retry, or force the clean-up and remove it by hand"
        self.reporter.set_status(Phase.DELETING, "CleanupBlocked" if reason == "DeadlineExceeded" else reason, message)
        self.reporter.rest()
        await workflow.wait_condition(lambda: self._retry or self._forced)
        self._retry = False

    async def _release_by_force(self) -> list[str]:
        left = self._left()
        workflow.logger.warning("the clean-up was forced", extra={"left": left})
        summary = f"Forget: remove the finalizer; not released: {', '.join(left) or 'nothing'}"
        with self.reporter.held():
            await call(signatures.DELETE_FINALIZER, self.state.key, summary=summary)
        return left
