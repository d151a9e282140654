"""Ends a process that has used the Temporal SDK: flushes all output, then exits without finalizing the interpreter.

The SDK's threads may still pass a result to Python while the interpreter is being finalized; it then aborts with
"PyGILState_Release: thread state must be current when releasing" and the exit code is lost (temporalio/sdk-python#300).
"""

import logging
import os
import sys
from typing import NoReturn


class CannotStart(RuntimeError):
    """A process cannot work as it is configured. The message says why and what to change, so that it is all that is
    logged."""


def exit_now(code: int) -> NoReturn:
    """Ends the process with this exit code, or with 1 instead of 0 if its last output could not be written."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)
