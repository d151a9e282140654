"""What /proc says about a process: whether it still is the one we meant, and which others share its session.

A process is known by pid and start time together, because the kernel hands pids out again.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """`started` is in clock ticks since boot (field 22 of /proc/PID/stat)."""

    pid: int
    started: int
    session: int

    def alive(self) -> bool:
        """False too for a zombie; one that is our own child is reaped on the way."""
        _reap(self.pid)
        now = _read(self.pid)
        return now is not None and now[0] == self and now[1] not in "ZX"

    def started_at(self) -> float:
        """In seconds since the epoch, as `time.time()` counts them."""
        booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted_at + self.started / os.sysconf("SC_CLK_TCK")

    def signal(self, number: int) -> None:
        """Sends a signal unless this process has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The descriptor pins the process, so the pid cannot change hands between the check and the signal.
            if self.alive():
                signal_through(descriptor, number)
        finally:
            os.close(descriptor)


def signal_through(descriptor: int, number: int) -> None:
    """Signals the process behind a pidfd; one that has just ended needs no signal."""
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return


def find_process(pid: int) -> Process | None:
    """The process with this pid (a zombie too), or None."""
    found = _read(pid)
    return found[0] if found else None


def in_session(session: int) -> list[Process]:
    """Every living process whose session was opened by the process with pid `session`."""
    return [process for process in all_processes() if process.session == session and process.alive()]


def all_processes() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        found = _read(int(entry.name)) if entry.name.isdigit() else None
        if found:
            yield found[0]


def _read(pid: int) -> tuple[Process, str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in parentheses and may contain anything, so the fields are counted from the last one.
    values = text[text.rindex(")") + 2 :].split()
    return Process(pid=pid, started=int(values[19]), session=int(values[3])), values[0]


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
