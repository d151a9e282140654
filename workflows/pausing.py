"""Pauses: nothing new is begun for a Workspace while somebody wants it so, and users see what waits.

Two ways lead here: the update `pause`, and the annotation modelyard.dev/paused, of which the watcher tells. Either is
enough. A pass under way goes on, and a delete goes through.
"""

from typing import Final

from temporalio import workflow

from api import labels
from api.status import Phase
from workflows.recording import Notebook
from workflows.state import WorkspaceState

A_PAUSE_IS_TOLD: Final = "a pause is told"
"""Workflows of before said nothing of what waits for the end of a pause."""


def is_told() -> bool:
    """Whether this workflow says what waits."""
    return workflow.patched(A_PAUSE_IS_TOLD)


def require_paused(state: WorkspaceState) -> None:
    """Raises ValueError where the update `resume` could end nothing."""
    if not state.paused:
        also = f"; its annotation {labels.PAUSED} is to be removed" if state.held_back else ""
        raise ValueError(f"the Workspace is not paused{also}")


def heard(state: WorkspaceState, paused: bool | None) -> bool:
    """Takes what the annotation says, None where nobody looked; tells whether that is news."""
    if paused is None or paused == state.held_back:
        return False
    state.held_back = paused
    return True


def tell(notebook: Notebook) -> None:
    """Says what waits for the end of a pause. What serves goes on serving, and is still said to be Ready."""
    state = notebook.state
    ways = [f"remove the annotation {labels.PAUSED}"] if state.held_back else []
    ways += ["resume it (POST /workspaces/NS/NAME/resume)"] if state.paused else []
    phase = Phase.READY if state.settled == "ready" else Phase.PAUSED
    words = f"generation {state.desired} is paused and waits: {' and '.join(ways)}"
    if (state.phase, state.message) != (phase, words):
        notebook.stand(phase, "Paused", words)
