"""Which activities the worker beats for: those that only ask, while they take long. What waits beats by itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.contract import signatures as s
from activities.contract.policies import config_of
from activities.contract.signatures import Signature
from testing.deadlines import PATIENCE_S
from worker.heartbeat_interceptor import HeartbeatInterceptor

OFTEN = timedelta(milliseconds=1)
LONGER_S = 0.05
"""Than many beats take."""
NOTHING: Any = None


class Body(ActivityInboundInterceptor):
    """Does what it is told to."""

    def __init__(self, does: Callable[[], Any]) -> None:
        self._does = does

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await self._does()


async def run(signature: Signature[Any, Any], does: Callable[[], Any], beat: Callable[..., None]) -> Any:
    """One attempt, as the table wants it, under the interceptor."""
    environment = ActivityEnvironment()
    limit = config_of(signature).get("heartbeat_timeout")
    environment.info = replace(environment.info, activity_type=signature.name, heartbeat_timeout=limit)
    environment.on_heartbeat = beat
    return await environment.run(
        HeartbeatInterceptor(OFTEN).intercept_activity(Body(does)).execute_activity,
        ExecuteActivityInput(fn=NOTHING, args=[], executor=None, headers={}),
    )


@pytest.mark.parametrize("signature", [s.BUILD_PLAN, s.READ_PREFLIGHT, s.ENSURE_WORKLOAD], ids=lambda one: one.name)
async def test_what_asks_for_long_is_beaten_for_until_it_ends(signature: Signature[Any, Any]) -> None:
    beats, enough = list[tuple[Any, ...]](), asyncio.Event()

    def beat(*details: Any) -> None:
        beats.append(details)
        if len(beats) == 3:
            enough.set()

    async with asyncio.timeout(PATIENCE_S):
        await run(signature, enough.wait, beat)
    seen = len(beats)
    await asyncio.sleep(LONGER_S)
    assert len(beats) == seen and not any(beats)


@pytest.mark.parametrize(
    "signature", [s.WAIT_FOR_SERVING, s.ENSURE_NODE_POOL, s.READ_WORKSPACE], ids=lambda one: one.name
)
async def test_nothing_else_is_beaten_for_so_that_progress_is_kept(signature: Signature[Any, Any]) -> None:
    beats = list[tuple[Any, ...]]()
    await run(signature, lambda: asyncio.sleep(LONGER_S), lambda *details: beats.append(details))
    assert beats == []


async def test_a_failure_passes_and_ends_the_beats() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("not there")

    with pytest.raises(LookupError):
        await run(s.BUILD_PLAN, fails, lambda *details: None)
