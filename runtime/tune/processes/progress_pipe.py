"""What the processes of a training tell the one that supervises them: lines of JSON through a pipe of their own.

Not through their output, which libraries write to as well.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from runtime.pod.exit import Failure

MESSAGE_BYTES = 1900
"""Quotes may double it, and a pipe takes 4096 bytes in one piece."""


class Telling:
    """The writing end. Every process of a training holds it; a line is shorter than what a pipe takes in one piece."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, **fields: Any) -> None:
        """Fields of TuneStatus that have changed."""
        self._write(fields)

    def step(self, **fields: Any) -> None:
        """A step that was trained."""
        self._write({"step_trained": fields})

    def warn(self, text: str) -> None:
        """Something is not as asked, and the training goes on."""
        self._write({"warning": text.encode()[:MESSAGE_BYTES].decode(errors="ignore")})

    def fail(self, failure: Failure) -> None:
        """Why this process is about to end."""
        message = failure.message.encode()[:MESSAGE_BYTES].decode(errors="ignore")
        self._write({"failure": {"code": failure.kind.exit_code, "message": message}})

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            os.write(self._descriptor, json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except BrokenPipeError:
            # Without the supervisor nobody needs to hear it, and this process is about to be ended.
            os.close(self._descriptor)
            raise SystemExit(1) from None
