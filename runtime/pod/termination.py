"""The failures of a fetch: the reason that the Workspace's status shows, the exit code, and whether a retry helps.

    FetchFailure
      gated 10, not found 11, token invalid 12   the user has to act: not retried
      disk full 13                               the same
      unreachable 20, broken off 21, stalled 22  retried here, then by the kubelet

The reasons are those of api/reasons.py; a test compares them. `hub_errors.py` maps the hub's exceptions.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

TERMINATION_LOG = Path("/dev/termination-log")


@dataclass(frozen=True)
class Kind:
    """One way to fail."""

    reason: str
    exit_code: int
    worth_retrying: bool


GATED = Kind("ModelGated", 10, worth_retrying=False)
NOT_FOUND = Kind("ModelNotFound", 11, worth_retrying=False)
TOKEN_INVALID = Kind("ModelTokenInvalid", 12, worth_retrying=False)
DISK_FULL = Kind("DownloadFailed", 13, worth_retrying=False)
UNREACHABLE = Kind("ModelUnreachable", 20, worth_retrying=True)
BROKEN_OFF = Kind("DownloadFailed", 21, worth_retrying=True)
STALLED = Kind("DownloadFailed", 22, worth_retrying=True)
KINDS = (GATED, NOT_FOUND, TOKEN_INVALID, DISK_FULL, UNREACHABLE, BROKEN_OFF, STALLED)


class FetchFailure(Exception):
    """The weights are missing; the message names the model, the cause and the fix."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class TerminationMessage:
    """The message that the kubelet copies into the container's status."""

    reason: str
    message: str

    def text(self) -> str:
        return json.dumps(asdict(self))


def leave_message(failure: FetchFailure, log: Path = TERMINATION_LOG) -> None:
    """Writes the termination log, if that file exists: outside a pod it does not."""
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(TerminationMessage(failure.kind.reason, failure.message).text())


def kind_of_exit(code: int) -> Kind:
    """Returns the kind for a download's exit code; any other code (a crash, a kill) counts as broken off."""
    return next((kind for kind in KINDS if kind.exit_code == code), BROKEN_OFF)
