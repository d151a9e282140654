"""Pauses a Workspace: no new pass starts, and the status shows what is waiting.

Either the update `pause` or the annotation modelyard.dev/paused, which the watcher reports, is enough. A pass under way
continues, and a delete is not held up.
"""

from api import labels
from api.resource.status import Phase
from workflows.state import Control
from workflows.status.reporter import StatusReporter


def require_paused(control: Control) -> None:
    """Raises ValueError if the update `resume` would have no effect."""
    if not control.paused:
        also = f"; its annotation {labels.PAUSED} must be removed" if control.held_back else ""
        raise ValueError(f"the Workspace is not paused{also}")


def apply_annotation(control: Control, paused: bool | None) -> bool:
    """Records the annotation's value (None: it was not read). Returns whether the value changed."""
    if paused is None or paused == control.held_back:
        return False
    control.held_back = paused
    return True


def report(reporter: StatusReporter) -> None:
    """Reports in the status what waits for the end of the pause. A serving Workspace keeps serving and stays Ready."""
    control, status = reporter.state.control, reporter.state.status
    actions = [f"remove the annotation {labels.PAUSED}"] if control.held_back else []
    actions += ["resume it (POST /workspaces/NS/NAME/resume)"] if control.paused else []
    phase = Phase.READY if status.settled == "ready" else Phase.PAUSED
    message = f"generation {reporter.state.spec.desired} is paused; to continue, {' and '.join(actions)}"
    if (status.phase, status.message) != (phase, message):
        reporter.set_status(phase, "Paused", message)
