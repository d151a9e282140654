"""Pauses: nothing new is begun for a Workspace while somebody wants it so, and users see what waits.

Two ways lead here: the update `pause`, and the annotation modelyard.dev/paused, of which the watcher tells. Either is
enough. A pass under way goes on, and a delete goes through.
"""

from api import labels
from api.resource.status import Phase
from workflows.state import Control
from workflows.status.reporter import StatusReporter


def require_paused(control: Control) -> None:
    """Raises ValueError where the update `resume` could end nothing."""
    if not control.paused:
        also = f"; its annotation {labels.PAUSED} is to be removed" if control.held_back else ""
        raise ValueError(f"the Workspace is not paused{also}")


def apply_annotation(control: Control, paused: bool | None) -> bool:
    """Takes what the annotation says, None where nobody looked; tells whether that is news."""
    if paused is None or paused == control.held_back:
        return False
    control.held_back = paused
    return True


def report(reporter: StatusReporter) -> None:
    """Says what waits for the end of a pause. What serves goes on serving, and is still said to be Ready."""
    control, status = reporter.state.control, reporter.state.status
    ways = [f"remove the annotation {labels.PAUSED}"] if control.held_back else []
    ways += ["resume it (POST /workspaces/NS/NAME/resume)"] if control.paused else []
    phase = Phase.READY if status.settled == "ready" else Phase.PAUSED
    words = f"generation {reporter.state.spec.desired} is paused and waits: {' and '.join(ways)}"
    if (status.phase, status.message) != (phase, words):
        reporter.set_status(phase, "Paused", words)
