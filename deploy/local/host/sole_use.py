"""Holds an instance for one process at a time: whoever starts its stack first takes down what runs of it.

The kernel gives the lock back when the process ends, however it ends, so an interrupted run holds nothing up.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InUse(RuntimeError):
    """Another process holds it; the message says which one."""


@contextmanager
def sole_use(file: Path, what: str) -> Iterator[None]:
    """Holds the lock on `file` during the block. Raises InUse at once if another process has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise InUse(f"{what} is in use by process {holder}: wait for it, or end it") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
