"""Kills, freezes, thaws, terminates and restarts single processes of a stack.

Processes are identified by the pid and start time that the stack recorded, so that no other process is hit.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import psutil

from deploy.local.host import daemons
from deploy.local.host.processes import find_process, is_alive, send_signal
from testing.deadlines import PATIENCE_S
from testing.stack import Stack

LOOK_S: Final = 0.02


def kill(stack: Stack, *names: str) -> None:
    """Sends SIGKILL to all at once; returns when they have ended."""
    await_end(send(stack, signal.SIGKILL, *names))


def terminate(stack: Stack, *names: str) -> None:
    """Sends SIGTERM; returns when they have ended by themselves. Raises TimeoutError."""
    await_end(send(stack, signal.SIGTERM, *names))


@contextlib.asynccontextmanager
async def frozen(stack: Stack, *names: str) -> AsyncIterator[Callable[[], None]]:
    """Stops the processes during the block: alive, connected, and silent. One killed meanwhile is left alone.

    Yields a function that thaws them before the block ends.
    """
    processes = [_process(stack, name) for name in names]

    def thaw() -> None:
        for process in processes:
            send_signal(process, signal.SIGCONT)

    for process in processes:
        send_signal(process, signal.SIGSTOP)
    try:
        yield thaw
    finally:
        thaw()


async def restart(stack: Stack, *names: str) -> None:
    """Kills and restarts them, while the event loop goes on."""
    await asyncio.to_thread(kill, stack, *names)
    await asyncio.to_thread(stack.start_again, *names)


def send(stack: Stack, number: signal.Signals, *names: str) -> list[psutil.Process]:
    """Signals them all and does not wait; `await_end` does."""
    processes = [_process(stack, name) for name in names]
    for process in processes:
        send_signal(process, number)
    return processes


def await_end(processes: Sequence[psutil.Process]) -> None:
    """Waits until they have ended. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while left := [process for process in processes if is_alive(process)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {[process.pid for process in left]} did not end within {PATIENCE_S:g} s")
        time.sleep(LOOK_S)


def _process(stack: Stack, name: str) -> psutil.Process:
    pid = daemons.running(stack.layout).get(name)
    process = find_process(pid) if pid is not None else None
    if process is None:
        raise LookupError(f"{name} does not run; running: {', '.join(daemons.running(stack.layout))}")
    return process
