"""Runs a process of ours: logging in one form, SIGTERM and SIGINT as a request to stop, an end that loses no exit code.

What the process does, and how it drains once it is asked to stop, is its own main module's.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import NoReturn

from process.exit import exit_now

Main = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, then finishes what it must not break off, and returns."""


def run(main: Main) -> NoReturn:
    """Ends the process with 0 when `main` returns. Passes on what `main` raises, so that the process is restarted."""
    configure_logging()
    asyncio.run(_until_stopped(main))
    exit_now(os.EX_OK)


def configure_logging() -> None:
    """To stderr, from INFO on: when, how serious, which module, what."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


async def _until_stopped(main: Main) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await main(stop)
