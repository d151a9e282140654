"""Processes of this machine: whether one is still the one we meant, and which others share its session.

psutil does the reading. It knows a process by pid and start time together, because the kernel hands pids out again, and
checks both before it signals. This file adds what our daemons need beside that: sessions, and zombies that count as
ended.
"""

import contextlib
import os
import time
from collections.abc import Iterator

import psutil


def find_process(pid: int) -> psutil.Process | None:
    """The process with this pid (a zombie too), or None."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def all_processes() -> Iterator[psutil.Process]:
    # Not psutil.process_iter: that keeps processes from an earlier call, which may have ended since.
    return (process for pid in psutil.pids() if (process := find_process(pid)))


def in_session(session: int) -> list[psutil.Process]:
    """Every living process whose session was opened by the process with pid `session`."""
    return [process for process in all_processes() if session_of(process) == session and is_alive(process)]


def session_of(process: psutil.Process) -> int | None:
    """The pid of the process that opened this one's session; None when it has ended."""
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def is_alive(process: psutil.Process) -> bool:
    """False too for a zombie; one that is our own child is reaped on the way."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return is_running(process)


def is_running(process: psutil.Process) -> bool:
    """False too for a zombie, which is left to whoever waits for it."""
    try:
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def send_signal(process: psutil.Process, number: int) -> None:
    """Sends a signal unless this process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def start_ticks(process: psutil.Process) -> int:
    """When it started, in clock ticks since boot, which identify it together with its pid.

    The start time in seconds since the epoch would not do: it is another one after the machine's clock has been set.
    """
    return round((process.create_time() - psutil.boot_time()) * os.sysconf("SC_CLK_TCK"))


def seconds_running(process: psutil.Process) -> float:
    """For how long it has run, time in suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start_ticks(process) / os.sysconf("SC_CLK_TCK")
