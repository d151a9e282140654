"""The failures before vLLM runs: the reason for the Workspace's status, and the exit code.

The reasons are those of api/reasons.py; a test compares them. vLLM's own errors are in the log.
"""

import json
import os
from pathlib import Path

TERMINATION_LOG = Path("/dev/termination-log")


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


def leave_message(failure: ServeFailure, log: Path = TERMINATION_LOG) -> None:
    """Writes the failure to the termination log and, as the last line, to the output."""
    text = json.dumps({"reason": failure.reason, "message": str(failure)})
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(text)
    print(text, flush=True)
