"""Folders with fixed names that kubelet and containerd require, over which every node mounts its own.

The empty folders below the mounts are shared by all stacks of the machine. Removing one unmounts it in every namespace,
so every process that mounts holds a shared lock for its lifetime, and only the last one removes the folders. The lock
file goes with the folders: a lock on a removed file does not count.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

GUARD = Path("/run/modelyard-mount-points")
KUBELET = Path("/var/lib/kubelet")
CONTAINERD = Path("/var/lib/containerd")
# Shell lines for a process that mounts, run within `made`: file descriptor 9 holds the lock until the process ends.
HOLD_GUARD = f"exec 9>>{GUARD}\nflock --shared 9\n"


@contextmanager
def made() -> Iterator[None]:
    """Creates the folders and keeps them from removal during the block, in which mounting processes lock them."""
    with _guard() as guard:
        for folder in (KUBELET, CONTAINERD):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                guard.write(f"{folder}\n")
        guard.flush()
        yield


def remove_unused() -> None:
    """Removes the folders that `made` created, unless a node or stack still mounts over them or they are not empty."""
    try:
        guard = GUARD.open()
    except FileNotFoundError:
        return
    with guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not _is_current(guard):
            return
        for folder in {Path(line) for line in guard.read().split()}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        GUARD.unlink()


@contextmanager
def _guard() -> Iterator[IO[str]]:
    """Opens the lock file for appending, with a shared lock on it."""
    while True:
        with GUARD.open("a") as guard:
            fcntl.flock(guard, fcntl.LOCK_SH)
            if _is_current(guard):
                yield guard
                return


def _is_current(guard: IO[str]) -> bool:
    """Returns whether the open file is still the one with that name."""
    try:
        return os.path.samestat(os.fstat(guard.fileno()), GUARD.stat())
    except FileNotFoundError:
        return False
