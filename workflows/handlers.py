"""What a Workspace's workflow is told and asked: its signals, updates and queries. Handlers only record and answer.

What is recorded is acted upon by the loop in workspace.py.
"""

from temporalio import workflow

from activities.contract.plan import LONGEST_DEADLINE_S
from workflows import pausing
from workflows.messages import Answer, Changed, Deadline, ForcedCleanup, Gone
from workflows.state import WorkspaceState
from workflows.status.reporter import StatusReporter
from workflows.successor import Successor


class Handlers:
    """The handlers of a Workspace's workflow, and what they write: the state, and what the loop is asked to do."""

    def __init__(self, state: WorkspaceState) -> None:
        self.state = state
        self.reporter = StatusReporter(state)
        self.successor = Successor(self.reporter)
        self._retry = False
        self._forced = False

    @workflow.signal(description="The Workspace, or an object that it owns, has changed")
    def changed(self, message: Changed) -> None:
        """From the watcher; duplicates, stale and reordered messages change nothing."""
        spec, control = self.state.spec, self.state.control
        if message.searchable not in (None, control.searchable):
            control.searchable = bool(message.searchable)
            self.reporter.show()
        if message.uid != self.state.key.uid:
            self.successor.message = message
            return
        self.reporter.sighting = message.sighting or self.reporter.sighting
        newer, spec.desired = message.generation > spec.desired, max(spec.desired, message.generation)
        if pausing.apply_annotation(control, message.paused) or (control.resting and newer):
            control.look = True
        spec.deleting = spec.deleting or message.deleting
        control.look = control.look or message.resync
        if message.retry and message.retry != control.retry_token:
            control.retry_token = message.retry
            self._retry = self._retry or self.state.status.settled == "failed" or spec.deleting or bool(spec.failed)
            self.reporter.wake()

    @workflow.signal(description="The Workspace no longer exists: its status found nothing to be written to")
    def gone(self, message: Gone) -> None:
        """From the status writer; about another uid it means nothing."""
        if message.uid == self.state.key.uid:
            self.reporter.vanish()

    @workflow.signal(description="A worker has started: the process that was handed the status may have died with it")
    def offer_status(self) -> None:
        """The worker that gets this offers the newest status, if it has replayed the workflow to get there; the
        reporter does so by itself after a replay."""
        if not workflow.unsafe.is_replaying():
            self.successor.offer_again()

    @workflow.update(description="Try a failed generation again")
    def retry(self) -> Answer:
        """Starts another pass of the same generation, or retries a blocked clean-up."""
        if self.reporter.resting:
            self.reporter.wake()
        else:
            self._retry = True
        return Answer(message="trying again now")

    @retry.validator
    def _may_retry(self) -> None:
        if self.state.status.settled == "ready" and self.state.spec.failed is None and not self._ending():
            raise ValueError("the Workspace is ready: there is nothing to retry")

    @workflow.update(description="Start no new pass; a delete is still carried out")
    def pause(self) -> Answer:
        """Starts no new pass; the pass under way continues."""
        self.state.control.paused = True
        self.reporter.mark_dirty()
        self.state.control.look = True
        return Answer(message="paused: the pass under way continues, and no other starts until resume")

    @workflow.update(description="End a pause")
    def resume(self) -> Answer:
        """Ends a pause."""
        self.state.control.paused = False
        self.reporter.mark_dirty()
        return Answer(message="resumed")

    @resume.validator
    def _may_resume(self) -> None:
        pausing.require_paused(self.state.control)

    @workflow.update(description="Give the steps of the next pass more time")
    def set_deadline(self, deadline: Deadline) -> Answer:
        """Overrides deadlines (seconds) from the next pass on."""
        self.state.control.extra_time |= deadline.model_dump(exclude_none=True)
        return Answer(message=f"deadlines in seconds from the next pass on: {_listed(self.state.control.extra_time)}")

    @set_deadline.validator
    def _is_a_deadline(self, deadline: Deadline) -> None:
        given = deadline.model_dump(exclude_none=True)
        if not given or not all(1 <= seconds <= LONGEST_DEADLINE_S for seconds in given.values()):
            steps, days = ", ".join(Deadline.model_fields), LONGEST_DEADLINE_S // 86400
            raise ValueError(f"set at least one of {steps}, each to 1 to {LONGEST_DEADLINE_S} seconds ({days} days)")

    @workflow.update(description="Stop a clean-up that cannot finish, and return what it leaves behind")
    def force_cleanup(self) -> ForcedCleanup:
        """Removes the finalizer without waiting for resources still held. A pool left behind keeps costing money."""
        self._forced = True
        return ForcedCleanup(left=self._left())

    @force_cleanup.validator
    def _is_deleting(self) -> None:
        if not self._ending():
            raise ValueError("the Workspace is not being deleted: delete it first")

    @workflow.query(description="The complete state of the workflow")
    def progress(self) -> WorkspaceState:
        """Returns the complete state."""
        return self.state

    def _ending(self) -> bool:
        return self.state.spec.deleting or self.reporter.gone

    def _left(self) -> list[str]:
        return [f"{holding.kind} {holding.name}" for holding in self.state.resources.holdings]


def _listed(seconds: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in seconds.items())
