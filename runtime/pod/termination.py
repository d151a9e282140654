"""How a fetch can fail: the reason that the Workspace's status shows, the exit code, and whether trying again helps.

    FetchFailure
      gated 10, not found 11, token invalid 12   somebody has to act: no second try
      disk full 13                               the same
      unreachable 20, broken off 21, stalled 22  tried again here, then by the kubelet

The reasons are those of api/reasons.py; a test compares them. Mapping the hub's exceptions is `hub_errors.py`'s.
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
    """The weights are not there; the message says what was being fetched, what was wrong and the fix."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class TerminationMessage:
    """What the kubelet copies into the container's status."""

    reason: str
    message: str

    def text(self) -> str:
        return json.dumps(asdict(self))


def leave_message(failure: FetchFailure, log: Path = TERMINATION_LOG) -> None:
    """Writes the termination message where the kubelet looks; outside a pod there is no such file."""
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(TerminationMessage(failure.kind.reason, failure.message).text())


def kind_of_exit(code: int) -> Kind:
    """The kind behind the exit code of a download; any other code (a crash, a kill) is a download that broke off."""
    return next((kind for kind in KINDS if kind.exit_code == code), BROKEN_OFF)
