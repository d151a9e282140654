"""Processes of this machine: whether one is still the recorded one, and which others share its session.

psutil reads them. It identifies a process by pid and start time together, because the kernel reuses pids, and checks
both before it signals. This file adds what our daemons need beside that: sessions, and zombies that count as ended.
"""

import contextlib
import os
import time
from collections.abc import Iterator

import psutil


def find_process(pid: int) -> psutil.Process | None:
    """Returns the process with this pid (also a zombie), or None."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def all_processes() -> Iterator[psutil.Process]:
    # Not psutil.process_iter: it caches processes from an earlier call, which may have ended since.
    return (process for pid in psutil.pids() if (process := find_process(pid)))


def in_session(session: int) -> list[psutil.Process]:
    """Returns every living process whose session leader has the pid `session`; reaps none."""
    return [process for process in all_processes() if session_of(process) == session and is_running(process)]


def session_of(process: psutil.Process) -> int | None:
    """Returns the pid of this process's session leader; None if the process has ended."""
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def is_alive(process: psutil.Process) -> bool:
    """Returns False for a zombie too; reaps it if it is our own child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return is_running(process)


def is_running(process: psutil.Process) -> bool:
    """Returns False for a zombie too, and leaves it to its parent to reap.

    A process whose first thread has ended before the others looks like a zombie, and still holds its ports and files.
    One that is killed on a busy machine does so for a while.
    """
    try:
        if not process.is_running():
            return False
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False


def send_signal(process: psutil.Process, number: int) -> None:
    """Sends a signal unless this process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def start_ticks(process: psutil.Process) -> int:
    """Returns the start time in clock ticks since boot, which identifies a process together with its pid.

    The start time in seconds since the epoch would not do: it changes when the machine's clock is set.
    """
    return round((process.create_time() - psutil.boot_time()) * os.sysconf("SC_CLK_TCK"))


def seconds_running(process: psutil.Process) -> float:
    """Returns for how many seconds it has run, time in suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start_ticks(process) / os.sysconf("SC_CLK_TCK")
