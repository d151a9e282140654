"""Runs work beside a block: begun with it, cancelled at its end. Whether the work goes on after an error of its own is
for the work to decide; one that it lets out is a bug, and is told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], *, without_it: str) -> AsyncIterator[None]:
    """Logs `without_it`, what no longer happens, if the work fails; the block goes on."""

    def tell(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (bug := task.exception()):
            log.error("%s: restart this process", without_it, exc_info=bug)

    task = asyncio.create_task(work)
    task.add_done_callback(tell)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
