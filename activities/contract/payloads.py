"""What all payloads of activities have in common, and those about the Workspace itself; the others stand by subject.

Payloads are frozen models, one input and one output for each activity. They stand in Temporal histories, so they carry
names and small values, never secrets, weights or rendered pods. Fields are only ever added, with defaults: a Workspace
that started under an older release still replays.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """Frozen; ignores unknown fields, which a newer release may have added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WorkspaceKey(Payload):
    """Which Workspace: the uid tells it from a later one of the same name."""

    namespace: str
    name: str
    uid: str


class Observed(Payload):
    """The Workspace's state in the API server; `paused` is None if that was not read."""

    found: bool
    uid: str = ""
    generation: int = 0
    deleting: bool = False
    paused: bool | None = None


class Sighting(Payload):
    """A Workspace as it was seen: its resourceVersion, and the revision of the status in it (0: none)."""

    resource_version: str
    revision: int = 0

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Sighting":
        """Returns what decides about the next status of a Workspace as the API server has it."""
        revision = (found.get("status") or {}).get("revision")
        version = found["metadata"]["resourceVersion"]
        return cls(resource_version=version, revision=revision if isinstance(revision, int) else 0)


class StatusPatch(Payload):
    """The whole of the status that Modelyard owns, applied by server-side apply. Its `revision` tells which of two is
    newer; `sighting` spares the writer a read of the Workspace, unless it has changed since."""

    workspace: WorkspaceKey
    status: dict[str, object]
    sighting: Sighting | None = None

    @property
    def revision(self) -> int:
        """The status' revision; 0 for one without."""
        found = self.status.get("revision")
        return found if isinstance(found, int) else 0
