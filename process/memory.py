"""Keeps a process as small as what it holds: what a burst has freed goes back to the system.

Python looks at old objects only after many new ones were made, and glibc keeps what is freed until the top of a heap is
free. A process that had a crowd would stay as large as it was then. What is held at all is left to each process.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable
from typing import Any, Final

EVERY_S: Final = 10.0
FIRST_S: Final = 1.0
"""The first look, when the start is over: what only connecting needed is 5 MiB of a worker."""
BUSY_S: Final = 0.1
"""CPU seconds between two looks; a process that used less has freed little."""
ARENAS: Final = 2
"""Heaps of glibc. Its default is eight per core, each of which keeps its own free memory; Python needs its lock to
allocate, so that more than one is for the Temporal SDK's threads only."""
M_ARENA_MAX: Final = -8
"""glibc's number of that parameter (malloc.h)."""


def bound_heaps() -> None:
    """Limits the number of heaps; to be called before threads start. Does nothing where libc is not glibc."""
    mallopt = _of_libc("mallopt")
    if mallopt:
        mallopt(M_ARENA_MAX, ARENAS)


def keep_for_life() -> None:
    """Excepts everything that is there from all later collections: going through the modules takes 60 ms each time.

    To be called after imports and before work: cycles of what ends later would never be freed.
    """
    gc.collect()
    gc.freeze()


async def give_back(every_s: float = EVERY_S, cpu_s: Callable[[], float] = time.process_time) -> None:
    """Gives back what is free whenever the process has worked; until cancelled."""
    seen, pause_s = 0.0, min(FIRST_S, every_s)
    while True:
        await asyncio.sleep(pause_s)
        pause_s = every_s
        now = cpu_s()
        if now - seen >= BUSY_S:
            trim()
            seen = now


def trim() -> None:
    """Collects cyclic garbage and returns free memory to the system."""
    gc.collect()
    malloc_trim = _of_libc("malloc_trim")
    if malloc_trim:
        malloc_trim(0)


def _of_libc(name: str) -> Callable[..., Any] | None:
    found: Callable[..., Any] | None = getattr(ctypes.CDLL(None), name, None)
    return found
