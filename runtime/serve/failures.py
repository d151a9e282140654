"""The failures that a server itself tells: the reason for the Workspace's status, and the exit code.

The reasons are those of api/reasons.py; a test compares them. What vLLM's processes die of is found in their output
(`evidence/`).
"""

import json
import os
from pathlib import Path

TERMINATION_LOG = Path("/dev/termination-log")
MESSAGE_MAX = 1500
"""Characters. The kubelet cuts termination messages off at 4096 bytes."""


class ServeFailure(Exception):
    """The server cannot start; the message names the cause and the fix."""

    reason = "ContainerStartError"
    exit_code = 30


class ConfigInvalid(ServeFailure):
    """serve.json or a vLLM argument of the user is invalid."""

    reason = "ConfigInvalid"
    exit_code = 31


class WeightsMissing(ServeFailure):
    """The weights did not arrive within the deadline."""

    reason = "DownloadFailed"
    exit_code = 32


class AdaptersMissing(ServeFailure):
    """The adapters did not arrive within the deadline."""

    reason = "AdapterUnreachable"
    exit_code = 33


class AdapterUnfit(ServeFailure):
    """An adapter does not fit this model."""

    reason = "AdapterNotServable"
    exit_code = 34


class ModelUnusable(ServeFailure):
    """vLLM refuses the model's configuration, and nothing was set by the user."""

    reason = "ModelConfigInvalid"
    exit_code = 38


def own_exit_codes() -> frozenset[int]:
    """The exit codes of a server that has left its message itself."""
    return frozenset(kind.exit_code for kind in ServeFailure.__subclasses__()) | {ServeFailure.exit_code}


def leave_message(failure: ServeFailure, log: Path = TERMINATION_LOG) -> None:
    """Writes the failure to the termination log and, as the last line, to the output."""
    leave_text(json.dumps({"reason": failure.reason, "message": str(failure)[:MESSAGE_MAX]}), log)


def leave_text(text: str, log: Path = TERMINATION_LOG) -> None:
    """Writes the termination message and, as the last line, the same to the output."""
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(text)
    print(text, flush=True)
