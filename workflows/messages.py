"""What the outside says to a Workspace's workflow: one model per message, so that fields can be added.

Cluster events are signals that carry identity and generation, never the object. People's requests are updates.
"""

from activities.contract.payloads import Payload, WorkspaceKey
from workflows.state import Control, Spec, WorkspaceState

SIGNAL_CHANGED = "changed"
"""The signal that the watcher sends with every start."""


class WorkspaceInput(Payload):
    """What a workflow starts from; `state` only after continue-as-new."""

    key: WorkspaceKey
    state: WorkspaceState | None = None
    history_limit: int | None = None
    """Continue as new after so many events even when the server does not suggest it; for tests."""


class Changed(Payload):
    """A Workspace was seen. `gone` says that it is not there any more, `resync` that something it owns broke; `retry`
    is its retry annotation, `paused` whether it has the one that pauses, None where nobody looked."""

    uid: str
    generation: int
    deleting: bool = False
    gone: bool = False
    resync: bool = False
    retry: str = ""
    paused: bool | None = None

    def beginning(self, key: WorkspaceKey) -> WorkspaceState:
        """What is known of a Workspace of which nothing more was heard than this."""
        return WorkspaceState(key=key, spec=Spec(desired=self.generation), control=Control(held_back=bool(self.paused)))


class Answer(Payload):
    """What an update did, in one sentence."""

    message: str


class Deadline(Payload):
    """More time for the steps of the next pass; seconds."""

    serving: int | None = None
    nodes: int | None = None
    provision: int | None = None
    data: int | None = None
    training: int | None = None
    publishing: int | None = None


class ForcedCleanup(Payload):
    """What was let go without having been released, and where to look for it."""

    left: list[str]
