"""Messages to a Workspace's workflow: one model per signal or update, so that fields can be added.

Cluster events are signals that carry identity and generation, never the object. User requests are updates.
"""

from activities.contract.payloads import Payload, Sighting, WorkspaceKey
from workflows.state import Control, Spec, WorkspaceState

SIGNAL_CHANGED = "changed"
"""The signal that the watcher sends with every start."""
SIGNAL_GONE = "gone"
"""The signal of the status writer, which found no Workspace to write to."""


class WorkspaceInput(Payload):
    """Input of the workflow; `state` is set only after continue-as-new."""

    key: WorkspaceKey
    state: WorkspaceState | None = None
    searchable: bool = True
    """Whether Temporal had the search attributes when the workflow was started."""
    unwritten: bool = False
    """Whether the run before has left its status to be written."""
    history_limit: int | None = None
    """Number of history events after which to continue as new even if the server does not suggest it; for tests."""


class Changed(Payload):
    """A Workspace was observed. `gone`: it no longer exists; `resync`: an object it owns became unhealthy; `retry`: its
    retry annotation; `paused`: whether it has the pause annotation, None if that was not read; `sighting`: None if the
    message is not about the Workspace's own event; `searchable`: whether Temporal has the search attributes, None if
    the sender does not know."""

    uid: str
    generation: int
    deleting: bool = False
    gone: bool = False
    resync: bool = False
    retry: str = ""
    paused: bool | None = None
    sighting: Sighting | None = None
    searchable: bool | None = None

    def beginning(self, key: WorkspaceKey, *, searchable: bool = True) -> WorkspaceState:
        """Returns the initial state of a Workspace of which only this message is known, and what Temporal has."""
        control = Control(held_back=bool(self.paused), searchable=searchable)
        return WorkspaceState(key=key, spec=Spec(desired=self.generation), control=control)


class Gone(Payload):
    """The Workspace with this uid no longer exists, or never did under this name."""

    uid: str


class Answer(Payload):
    """The result of an update, in one sentence."""

    message: str


class Deadline(Payload):
    """Deadlines for the steps of the next pass, in seconds."""

    serving: int | None = None
    nodes: int | None = None
    provision: int | None = None
    data: int | None = None
    training: int | None = None
    publishing: int | None = None


class ForcedCleanup(Payload):
    """Kind and name of each resource that was left behind unreleased."""

    left: list[str]
