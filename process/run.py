"""Runs a process: configures logging, turns SIGTERM and SIGINT into a stop event, keeps its memory low, and preserves
the exit code.

Its work, and how it drains after the stop event, are left to each process's main module.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import NoReturn

from process.exit import CannotStart, exit_now
from process.memory import bound_heaps, give_back, keep_for_life

Main = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, then drains and returns."""


def run(main: Main) -> NoReturn:
    """Ends the process with 0 when `main` returns, with 1 after one line of log when it raises CannotStart. Propagates
    what else it raises, so that the process is restarted."""
    configure_logging()
    bound_heaps()
    keep_for_life()
    try:
        asyncio.run(_until_stopped(main))
    except CannotStart as error:
        logging.getLogger(__name__).critical("%s", error)
        exit_now(1)
    exit_now(os.EX_OK)


def configure_logging() -> None:
    """Logs to stderr from level INFO: time, level, logger name, message."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")


async def _until_stopped(main: Main) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keeping = asyncio.create_task(give_back())
    try:
        await main(stop)
    finally:
        keeping.cancel()
