"""Runs an activity's body as a worker would: one attempt, from now on, that can be cancelled or drained."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.view.cluster_view import ClusterView
from activities.contract.nodes import NodesHeld
from activities.heartbeat import heartbeating
from activities.nodes.losses import next_loss
from testing.deadlines import PATIENCE_S

LIMIT: Final = timedelta(hours=1)
Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Attempt:
    """One attempt under way."""

    def __init__(self, body: Callable[[Any], Awaitable[Any]], argument: Any, limit: timedelta = LIMIT) -> None:
        self._environment = ActivityEnvironment()
        self._environment.info = replace(
            self._environment.info, scheduled_time=datetime.now(UTC), schedule_to_close_timeout=limit
        )
        self.beats: list[tuple[Any, ...]] = []
        self._environment.on_heartbeat = lambda *details: self.beats.append(details)
        self.task: asyncio.Task[Any] = asyncio.ensure_future(self._environment.run(body, argument))

    async def cancelled(self) -> None:
        """The workflow asks the activity to stop, and it does."""
        self._environment.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    async def drained(self) -> ApplicationError:
        """The worker shuts down; the error tells Temporal to go on elsewhere."""
        self._environment.worker_shutdown()
        with pytest.raises(ApplicationError) as handed_over:
            await self.task
        return handed_over.value

    async def until_beat(self, judge: Callable[[Any], bool], within_s: float = PATIENCE_S) -> None:
        """Until a heartbeat's first detail satisfies `judge`."""
        async with asyncio.timeout(within_s):
            while not any(details and judge(details[0]) for details in self.beats):
                await asyncio.sleep(0.05)


def watching(view: ClusterView, held: NodesHeld) -> Attempt:
    """A watch for the loss of a node that beats with what is missing."""

    async def watch(nodes: NodesHeld) -> list[str]:
        async with heartbeating() as progress:
            return await next_loss(view, nodes, lambda missing: progress.report({"missing": missing}))

    return Attempt(watch, held)


async def done(body: Callable[[Argument], Awaitable[Result]], argument: Argument) -> Result:
    """One attempt to its end."""
    result: Result = await Attempt(body, argument).task
    return result


async def refused(body: Callable[[Argument], Awaitable[Any]], argument: Argument) -> ApplicationError:
    """The failure that one attempt ends in."""
    with pytest.raises(ApplicationError) as failure:
        await Attempt(body, argument).task
    return failure.value
