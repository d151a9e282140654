"""Lets programs that record every step in a file do their steps in turn, while the others are stopped.

The load of a machine changes within minutes, and would hit one of two runs that follow each other. Alternating steps
of seconds share it. What the programs do, and what the seconds mean, is left to the caller.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.005
SHOWN: Final = 3000
"""Characters of a program's log in an error."""


class ProgramEnded(RuntimeError):
    """A program ended, or made no step in time, before its steps were done; the message has its last output."""


@dataclass(frozen=True)
class Program:
    """A command that appends a line to `record` whenever a step is done; `log` receives its output."""

    argv: Sequence[str]
    record: Path
    log: Path
    environment: Mapping[str, str]


def in_turn(programs: Mapping[str, Program], steps: int, *, step_s: float) -> dict[str, list[float]]:
    """Runs the programs in turn, then ends them; returns the seconds of each step, the start-up within the first.

    Raises ProgramEnded if one ends early or takes more than `step_s` for a step.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with ExitStack() as running:
        turns = {name: running.enter_context(_standing(program)) for name, program in programs.items()}
        for _ in range(steps):
            for name, turn in turns.items():
                seconds[name].append(turn.take(step_s))
    return seconds


class Turn:
    """One program, which runs only during `take`. It leads a process group, so its children are stopped with it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def take(self, within_s: float) -> float:
        """Lets the program do one step; returns the seconds that it took. Raises ProgramEnded."""
        done, began = self._steps(), time.monotonic()
        if self._process is None:
            self._process = self._started()
        else:
            os.killpg(self._process.pid, signal.SIGCONT)
        while self._steps() == done:
            if self._process.poll() is not None:
                raise ProgramEnded(f"ended with {self._process.returncode}: {self._last_words()}")
            if time.monotonic() - began > within_s:
                raise ProgramEnded(f"no step within {within_s:g} s: {self._last_words()}")
            time.sleep(LOOK_S)
        os.killpg(self._process.pid, signal.SIGSTOP)
        return time.monotonic() - began

    def end(self) -> None:
        """Sends SIGKILL, which also ends a stopped process."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._program.log.open("wb") as log:
            return subprocess.Popen(
                self._program.argv, stdout=log, stderr=log, env=dict(self._program.environment), process_group=0
            )

    def _steps(self) -> int:
        record = self._program.record
        return record.read_bytes().count(b"\n") if record.exists() else 0

    def _last_words(self) -> str:
        return self._program.log.read_text(errors="replace")[-SHOWN:]


@contextmanager
def _standing(program: Program) -> Iterator[Turn]:
    turn = Turn(program)
    try:
        yield turn
    finally:
        turn.end()
