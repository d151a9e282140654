"""Ends a program inside a pod with a result, or with a failure that has a reason and an exit code.

Writes either as the last line of the output and, in a pod, as the termination message: the control plane reads it from
the pod's status and needs neither the log nor the volume. Each program has its own table of failures.
"""

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.pod.termination import TERMINATION_LOG, Kind

MESSAGE_MAX: Final = 3000
"""Characters. The kubelet cuts termination messages off at 4096 bytes."""
CONFIG_INVALID: Final = Kind("ConfigInvalid", 31, worth_retrying=False)
BUG: Final = Kind("ControllerError", 1, worth_retrying=True)
Config = TypeVar("Config", bound=BaseModel)


class Failure(Exception):
    """The program failed; the message names the operation, the cause and the fix."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message if len(message) <= MESSAGE_MAX else f"{message[: MESSAGE_MAX - 1]}…"


def run(program: str, model: type[Config], work: Callable[[Config], Mapping[str, Any]], argv: list[str] | None) -> int:
    """Reads `--config FILE`, runs `work`, reports its result and returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("--config", required=True, help="a file with the JSON configuration")
    options = parser.parse_args(argv)
    # PID 1 of a container ignores signals without a handler.
    signal.signal(signal.SIGTERM, _stop)
    try:
        result = work(read_config(Path(options.config), model))
    except Failure as failure:
        leave({"reason": failure.kind.reason, "message": failure.message})
        return failure.kind.exit_code
    except Exception as error:  # the process's edge: a bug is reported as such
        traceback.print_exc()
        leave({"reason": BUG.reason, "message": f"{program}: {type(error).__name__}: {error}"[:MESSAGE_MAX]})
        return BUG.exit_code
    leave(result)
    return 0


def read_config(file: Path, model: type[Config]) -> Config:
    """Returns the configuration. Raises Failure that names the file and the field."""
    try:
        return model.model_validate_json(file.read_bytes())
    except OSError as error:
        raise Failure(CONFIG_INVALID, f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Failure(CONFIG_INVALID, f"{file}: {where}: {first['msg']}") from None


def leave(result: Mapping[str, Any], log: Path = TERMINATION_LOG) -> None:
    """Writes the result to the termination log and, as the last line, to the output."""
    text = json.dumps(result)
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(text)
    print(text, flush=True)


def log_line(text: str) -> None:
    """Prints one line for the log."""
    print(text, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
