"""Starts, finds and stops the processes of a local stack. They outlive the command that started them.

Each daemon leads a session of its own: its children are found by session id, and a daemon that it starts itself (the
ARM emulator starts kubelets) is not mistaken for a child. A pid file is valid only while the process has the start
time recorded in it: a reused pid is never signalled.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local.host.processes import find_process, in_session, is_alive, send_signal, start_ticks
from deploy.local.layout import Layout

POLL_S = 0.05
LOG_TAIL_LINES = 15
# A process that survives SIGKILL is in an uninterruptible call; after 10 s it will not end by itself either.
KILL_DEADLINE_S = 10.0


@dataclass(frozen=True)
class Daemon:
    """A process to run: `argv` after the prefix `enter` (such as nsenter), with `env` added to our environment."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool] = field(compare=False)
    env: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = 60.0
    enter: Sequence[str] = ()

    def fingerprint(self) -> str:
        """Returns a hash of the command and environment: a change shows without storing the environment."""
        text = json.dumps([*self.enter, "--", *self.argv, sorted(self.env.items())])
        return hashlib.sha256(text.encode()).hexdigest()


class DaemonFailed(RuntimeError):
    """A daemon did not start, was not ready in time, or did not stop; the message has its last log lines."""

    def __init__(self, name: str, what: str, log: Path, tail: str = "") -> None:
        self.name, self.log = name, log
        super().__init__(f"{name} {what}; log: {log}" + (f"\n{tail}" if tail else ""))


def start(layout: Layout, daemon: Daemon) -> int:
    """Starts the daemon, waits until it is ready, returns its pid; keeps one that runs with the same fingerprint.

    Raises DaemonFailed.
    """
    with _lock(layout, daemon.name):
        log = log_of(layout, daemon.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        process = _recorded(layout, daemon.name)
        if process and _record(layout, daemon.name).get("fingerprint") != daemon.fingerprint():
            _end(layout, daemon.name, process, 20.0)
            process = None
        offset = log.stat().st_size if log.exists() else 0
        process = process or _spawn(layout, daemon, log)
        _await_ready(layout, daemon, process, log, offset)
        return process.pid


def stop(layout: Layout, name: str, deadline_s: float = 20.0) -> None:
    """Sends the daemon SIGTERM, SIGKILL after `deadline_s`; SIGKILL to the rest of its session. Raises DaemonFailed."""
    with _lock(layout, name):
        process = _recorded(layout, name)
        if process:
            _end(layout, name, process, deadline_s)
        _pid_file(layout, name).unlink(missing_ok=True)


def running(layout: Layout) -> dict[str, int]:
    """Returns name and pid of every daemon of this instance that is alive."""
    names = sorted(path.stem for path in layout.run.glob("*.pid"))
    found = {name: _recorded(layout, name) for name in names}
    return {name: process.pid for name, process in found.items() if process}


def log_of(layout: Layout, name: str) -> Path:
    return layout.logs / f"{name}.log"


def _spawn(layout: Layout, daemon: Daemon, log: Path) -> psutil.Process:
    argv = [*daemon.enter, *daemon.argv]
    executable = shutil.which(argv[0])
    if executable is None:
        raise DaemonFailed(daemon.name, f"cannot start: there is no program {argv[0]!r} on this machine", log)
    # posix_spawn, not Popen: a Popen object warns when it is dropped while its process lives on, which is the intent.
    pid = os.posix_spawn(
        executable,
        argv,
        {**os.environ, **daemon.env},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    process = find_process(pid)
    if process is None:
        raise DaemonFailed(daemon.name, "ended as soon as it was started", log, _tail(log, 0))
    record = {"pid": pid, "started": start_ticks(process), "fingerprint": daemon.fingerprint(), "argv": argv}
    partial = _pid_file(layout, daemon.name).with_suffix(".partial")
    partial.write_text(json.dumps(record))
    partial.rename(_pid_file(layout, daemon.name))
    return process


def _await_ready(layout: Layout, daemon: Daemon, process: psutil.Process, log: Path, offset: int) -> None:
    deadline = time.monotonic() + daemon.deadline_s
    while not daemon.ready():
        if not is_alive(process):
            _pid_file(layout, daemon.name).unlink(missing_ok=True)
            raise DaemonFailed(daemon.name, "ended while starting", log, _tail(log, offset))
        if time.monotonic() > deadline:
            _end(layout, daemon.name, process, 5.0)
            _pid_file(layout, daemon.name).unlink(missing_ok=True)
            raise DaemonFailed(daemon.name, f"was not ready after {daemon.deadline_s:g} s", log, _tail(log, offset))
        time.sleep(POLL_S)


def _end(layout: Layout, name: str, process: psutil.Process, deadline_s: float) -> None:
    if is_alive(process):
        send_signal(process, signal.SIGTERM)
        _wait_until(lambda: not is_alive(process), deadline_s)
    left = [process, *in_session(process.pid)]
    for one in left:
        send_signal(one, signal.SIGKILL)
    if not _wait_until(lambda: not any(is_alive(one) for one in left), KILL_DEADLINE_S):
        raise DaemonFailed(name, f"(pid {process.pid}) does not end, not even by SIGKILL", log_of(layout, name))


def _wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _recorded(layout: Layout, name: str) -> psutil.Process | None:
    """Returns the living process that the pid file names, or None."""
    record = _record(layout, name)
    process = find_process(int(record["pid"])) if record else None
    return process if process and start_ticks(process) == record["started"] and is_alive(process) else None


def _record(layout: Layout, name: str) -> dict[str, str | int]:
    try:
        record: dict[str, str | int] = json.loads(_pid_file(layout, name).read_text())
    except FileNotFoundError:
        return {}
    return record


def _tail(log: Path, offset: int) -> str:
    """Returns the last lines written since `offset`, indented to stand out in an error message."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - 16384))
        lines = stream.read().decode(errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-LOG_TAIL_LINES:])


@contextmanager
def _lock(layout: Layout, name: str) -> Iterator[None]:
    """Allows one start or stop of a daemon at a time, across processes and threads."""
    layout.run.mkdir(parents=True, exist_ok=True)
    with _lock_file(layout, name).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _pid_file(layout: Layout, name: str) -> Path:
    return layout.run / f"{name}.pid"


def _lock_file(layout: Layout, name: str) -> Path:
    return layout.run / f"{name}.lock"
