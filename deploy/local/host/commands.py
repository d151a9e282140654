"""Runs commands to their end, with output in a log, and stops those still running when the stack aborts.

Daemons are started by `daemons.py`: they lead sessions of their own, so that an interrupt or a failure ends builds and
installations but leaves daemons running.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from deploy.local.host.processes import is_running, send_signal, session_of

TAIL_LINES = 15
TAIL_BYTES = 16384
# On SIGTERM a build removes its working copies first.
TERM_S = 10.0
POLL_S = 0.05


class CommandFailed(RuntimeError):
    """A command exited with a non-zero code or exceeded its deadline; the message has its last lines and the fix."""


def run_logged(
    argv: Sequence[str],
    log: Path,
    *,
    deadline_s: float,
    fix: str = "",
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    shielded: bool = False,
) -> None:
    """Runs argv to its end with stdout and stderr appended to `log`. Raises CommandFailed.

    A `shielded` command is stopped neither when the stack aborts nor by the terminal's Ctrl-C: it has its own session.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        stream.write(f"\n$ {shlex.join(argv)}\n".encode())
        stream.flush()
        offset = stream.tell()
        try:
            done = subprocess.run(
                argv,
                input=None if stdin is None else stdin.encode(),
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                timeout=deadline_s,
                start_new_session=shielded,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise CommandFailed(_message(argv, f"ran longer than {deadline_s:g} s", log, offset, fix)) from expired
        except FileNotFoundError as missing:
            raise CommandFailed(f"there is no program {argv[0]!r} on this machine" + _fix(fix)) from missing
    if done.returncode != 0:
        raise CommandFailed(_message(argv, f"ended with exit code {done.returncode}", log, offset, fix))


def output_of(argv: Sequence[str], *, deadline_s: float, fix: str = "", folder: Path | None = None) -> str:
    """Returns the stdout of a command that is expected to finish quickly, run in `folder` if one is named. Raises
    CommandFailed with its stderr."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=deadline_s, check=False, cwd=folder)
    except subprocess.TimeoutExpired as expired:
        raise CommandFailed(f"`{shlex.join(argv)}` did not end within {deadline_s:g} s" + _fix(fix)) from expired
    except FileNotFoundError as missing:
        raise CommandFailed(f"there is no program {argv[0]!r} on this machine" + _fix(fix)) from missing
    if done.returncode != 0:
        raise CommandFailed(f"`{shlex.join(argv)}` failed: {done.stderr.strip()}" + _fix(fix))
    return done.stdout


def stop_commands() -> None:
    """Ends every direct or indirect child process in this process's session; daemons lead sessions of their own.

    For a process that starts nothing but commands, as `modelyard` does: it would end what other libraries started, too.
    Sends SIGTERM, then SIGKILL to what remains after TERM_S, so that nothing is left when this returns.
    """
    session = os.getsid(0)
    ours = [process for process in psutil.Process().children(recursive=True) if session_of(process) == session]
    _signal(ours, signal.SIGTERM)
    ends = time.monotonic() + TERM_S
    # Not is_alive, which reaps: subprocess.run would take a child reaped elsewhere for one that succeeded.
    while left := [process for process in ours if is_running(process)]:
        if time.monotonic() > ends:
            _signal(left, signal.SIGKILL)
            return
        time.sleep(POLL_S)


def tail(log: Path, offset: int = 0, lines: int = TAIL_LINES) -> str:
    """Returns the last lines of a log written since `offset`, indented; empty if there are none."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])


def _message(argv: Sequence[str], what: str, log: Path, offset: int, fix: str) -> str:
    return f"`{shlex.join(argv)}` {what}; log: {log}\n{tail(log, offset)}" + _fix(fix)


def _fix(fix: str) -> str:
    return f"\nFix: {fix}" if fix else ""


def _signal(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        send_signal(process, number)
