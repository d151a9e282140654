"""Sends heartbeats to Temporal while an activity waits, and hands the wait over at once when its worker is drained.

`heartbeating()` beats in the background, so that a wait is one plain `await`: Temporal detects a lost worker, delivers
a cancellation, and shows progress in its UI. It ends the wait when its time is over (`deadline.py`). `beating()` beats
for what only asks, without progress to hand over.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from temporalio import activity

from activities.contract.failures import failure
from activities.contract.policies import HEARTBEAT_EVERY, HEARTBEAT_TIMEOUT
from activities.deadline import current_clock, without_carried

BEATS_PER_SECOND: Final = 25.0
"""Of all waits of one process together: the server writes each beat to its database, as it does each step."""
LONGEST: Final = 0.4 * HEARTBEAT_TIMEOUT
"""Of the pauses between beats: two of them in a row may get lost."""
LONGEST_SLEEP_S: Final = 3600.0
"""A limit of days is looked at again: event loops take no sleep of any length."""


class Progress:
    """The details of the next heartbeat. Keep them small: they are a payload."""

    def __init__(self) -> None:
        self.details: tuple[Any, ...] = without_carried(activity.info().heartbeat_details)
        self._clock = current_clock()

    def report(self, *details: Any) -> None:
        """Replaces the details and beats now; the next attempt reads them from `activity.info().heartbeat_details`."""
        self.details = details
        self.beat()

    def beat(self) -> None:
        """Sends the details once more."""
        activity.heartbeat(*self.details, *([self._clock.carried()] if self._clock else []))

    def note_met(self) -> None:
        """The cluster has answered: from now on the activity's time counts (deadline.py)."""
        if self._clock is not None:
            self._clock.note_met()

    @property
    def left_s(self) -> float:
        """Seconds until the activity's time is over."""
        clock = self._clock
        return math.inf if clock is None or clock.deadline is None else (clock.deadline - clock.now()).total_seconds()


@asynccontextmanager
async def beating(every: timedelta = HEARTBEAT_EVERY) -> AsyncIterator[None]:
    """Beats until the block ends; not at once, because most of these blocks are over by then."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(every.total_seconds())
            activity.heartbeat()

    helper = asyncio.create_task(beat())
    try:
        yield
    finally:
        helper.cancel()


def pause_between_beats(waits: int) -> timedelta:
    """Returns HEARTBEAT_EVERY, or, while a crowd waits in this process, as much longer as keeps BEATS_PER_SECOND."""
    return min(max(HEARTBEAT_EVERY, timedelta(seconds=waits / BEATS_PER_SECOND)), LONGEST)


_waits: set["asyncio.Task[None]"] = set()
"""The heartbeats of this process that are under way."""


@asynccontextmanager
async def heartbeating() -> AsyncIterator[Progress]:
    """Beats every HEARTBEAT_EVERY, in a crowd less often, until the block ends. Raises WorkerDraining when the worker
    shuts down, and DeadlineExceeded when the activity's time is over."""
    progress = Progress()
    waiting = asyncio.current_task()
    draining = too_late = False

    async def beat() -> None:
        while True:
            progress.beat()
            await asyncio.sleep(pause_between_beats(len(_waits)).total_seconds())

    async def drain() -> None:
        nonlocal draining
        await activity.wait_for_worker_shutdown()
        draining = True
        if waiting:
            waiting.cancel()

    async def limit() -> None:
        nonlocal too_late
        while (left_s := progress.left_s) > 0:
            await asyncio.sleep(min(left_s, LONGEST_SLEEP_S))
        too_late = True
        if waiting:
            waiting.cancel()

    helpers = [asyncio.create_task(work) for work in (beat(), drain(), limit())]
    _waits.add(helpers[0])
    try:
        yield progress
    except asyncio.CancelledError:
        if draining:
            raise failure(
                "WorkerDraining", "this worker is shutting down; another worker continues", retry_after=timedelta(0)
            ) from None
        if too_late:
            message = f"{activity.info().activity_type} did not end before its deadline"
            raise failure("DeadlineExceeded", message, final=True) from None
        raise
    finally:
        _waits.discard(helpers[0])
        for helper in helpers:
            helper.cancel()
