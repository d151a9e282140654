"""Runs the `modelyard` command as a user does: another process, its exit code, what it prints."""

import os
import subprocess
import sys
from dataclasses import dataclass

INSTANCE = "test"
COMMAND = (sys.executable, "-m", "cli.main")


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str


def modelyard_local(action: str, *arguments: str, deadline_s: float = 1500) -> Outcome:
    """`modelyard local ACTION --instance cluster ...`, stdout and stderr together."""
    done = subprocess.run(command_line(action, *arguments), capture_output=True, text=True, timeout=deadline_s)
    return Outcome(done.returncode, done.stdout + done.stderr)


def succeed(action: str, *arguments: str) -> None:
    """The same, where anything but exit code 0 ends the test, with all that was printed."""
    outcome = modelyard_local(action, *arguments)
    assert outcome.code == 0, outcome.text


def begin(action: str, *arguments: str) -> subprocess.Popen[str]:
    """The same, still running when this returns; it leads a process group, as under a shell with job control."""
    return subprocess.Popen(
        command_line(action, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def command_line(action: str, *arguments: str) -> list[str]:
    return [*COMMAND, "local", action, "--instance", INSTANCE, *arguments]
