"""Reports from the training processes to their supervisor: JSON lines through a separate pipe.

Standard output is not used, because libraries write to it as well.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from runtime.pod.exit import Failure

MESSAGE_BYTES = 1900
"""Escaping quotes may double it, and a pipe writes at most 4096 bytes (PIPE_BUF) atomically."""


class ProgressPipe:
    """The writing end, in every training process; a line is short enough for an atomic write."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.stepped = False
        """Whether this process, or the one that it goes on from, has trained a step."""

    def send(self, **fields: Any) -> None:
        """Reports changed fields of TuneStatus."""
        self._write(fields)

    def step(self, **fields: Any) -> None:
        """Reports a completed step."""
        self._write({"step_trained": fields})

    def warn(self, text: str) -> None:
        """Reports a deviation from the config that does not stop the training."""
        self._write({"warning": text.encode()[:MESSAGE_BYTES].decode(errors="ignore")})

    def fail(self, failure: Failure) -> None:
        """Reports why this process is about to exit."""
        message = failure.message.encode()[:MESSAGE_BYTES].decode(errors="ignore")
        self._write({"failure": {"code": failure.kind.exit_code, "message": message}})

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            os.write(self._descriptor, json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except BrokenPipeError:
            # The supervisor is gone: there is no reader, and this process is about to be killed.
            os.close(self._descriptor)
            raise SystemExit(1) from None
