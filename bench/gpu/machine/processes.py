"""Runs the programs that are measured: a log each, a deadline for each wait, and nothing left running afterwards."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gpu.machine.sizes import STOP_S

LOOK_S: Final = 0.05
SHOWN: Final = 1500
"""Characters of the end of a program's log in an error."""
ERROR: Final = re.compile(r"^.*\b\w*(?:Error|Exception): .*$", re.MULTILINE)
REPOSITORY: Final = Path(__file__).resolve().parents[3]


class PartFailed(RuntimeError):
    """A part of the check cannot be measured; the message has the cause and the last output of the program."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, and the seconds that there were until then."""

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds, seconds)

    @property
    def left(self) -> float:
        """Seconds, at least 0."""
        return max(0.0, self.at - time.monotonic())


@dataclass(frozen=True)
class Program:
    """A command, what it adds to the environment, and the file that receives its output."""

    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str]


class Running:
    """A started program. It leads a session, so that all its processes can be ended together."""

    def __init__(self, program: Program) -> None:
        self.program = program
        with program.log.open("wb") as log:
            self._process = subprocess.Popen(
                program.argv,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | dict(program.environment),
                start_new_session=True,
            )

    def wait_until(self, condition: Callable[[], bool], what: str, deadline: Deadline) -> None:
        """Raises PartFailed if the program ends first, or at the deadline; `what` completes the message."""
        while not condition():
            code = self._process.poll()
            if code is not None:
                raise PartFailed(f"the program ended with {code} before {what}{self.last_output()}")
            if not deadline.left:
                raise PartFailed(f"not within {deadline.seconds:.0f} s: {what}{self.last_output()}")
            time.sleep(LOOK_S)

    def wait(self, deadline: Deadline) -> None:
        """Returns when the program has ended with 0. Raises PartFailed."""
        try:
            code = self._process.wait(deadline.left)
        except subprocess.TimeoutExpired:
            raise PartFailed(f"not within {deadline.seconds:.0f} s{self.last_output()}") from None
        if code:
            raise PartFailed(f"the program ended with {code}{self.last_output()}")

    def stop(self) -> None:
        """Sends SIGTERM, then SIGKILL to all that is left of it."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_output(self) -> str:
        """The first error in its log and the end of it, after a colon: vLLM's own end says "see root cause above"."""
        text = self.program.log.read_text(errors="replace")
        end = text[-SHOWN:].strip()
        first = ERROR.search(text)
        return f": {first[0].strip()} ... {end}" if first and first[0].strip() not in end else f": {end}"


@contextmanager
def running(program: Program) -> Iterator[Running]:
    """The program until the end of the block."""
    started = Running(program)
    try:
        yield started
    finally:
        started.stop()


def run(program: Program, deadline: Deadline) -> None:
    """Runs a program to its end. Raises PartFailed."""
    with running(program) as started:
        started.wait(deadline)
