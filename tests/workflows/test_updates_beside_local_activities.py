"""Updates that come while an activity runs locally: each is answered, no workflow task fails, the history replays.

A local activity holds up the workflow task that began it, so that updates wait for its end, or are looked at in the
task after it. A worker that caches fewer workflows than live replays histories in between.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.signatures import Signature
from testing.deadlines import PATIENCE_S
from testing.workflow_tasks import faults_of
from tests.workflows.conftest import Bench, working
from worker.plugin import plugin
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow

CACHED = pytest.mark.parametrize("cached", [1, 100], ids=["evicted all the time", "cached"])


@asynccontextmanager
async def benches(env: WorkflowEnvironment, cached: int) -> AsyncIterator[list[Bench]]:
    """Two Workspaces that live in one world, so that a cache of one workflow is too small."""
    async with working(env, cached) as first:
        second = Bench(env=env, client=env.client, world=first.world)
        yield [first, second]
        await second.end()


async def updated(bench: Bench, times: int) -> None:
    """Several updates at once and one after another."""
    assert bench.handle is not None
    ask = bench.handle.execute_update
    async with asyncio.timeout(PATIENCE_S):
        for number in range(times):
            wanted = Deadline(serving=100 + number)
            await asyncio.gather(*(ask(WorkspaceWorkflow.set_deadline, wanted) for _ in range(3)))


async def all_is_well(bench: Bench) -> None:
    """No workflow task has failed, and today's code goes the way that the history went."""
    assert bench.handle is not None
    assert await faults_of(bench.client, bench.handle.id) == []
    replayer = Replayer(workflows=[WorkspaceWorkflow], plugins=[plugin(sandboxed=False)])
    await replayer.replay_workflow(await bench.handle.fetch_history())


@CACHED
@pytest.mark.parametrize("signature", [s.ENSURE_FINALIZER, s.PATCH_STATUS], ids=lambda signature: signature.name)
@pytest.mark.parametrize("hangs", [False, True], ids=["ends soon", "ends at its limit"])
async def test_updates_while_it_runs_are_answered(
    live: WorkflowEnvironment, cached: int, signature: Signature[Any, Any], hangs: bool
) -> None:
    async with benches(live, cached) as both:
        world = both[0].world
        gate = world.block(signature)
        for bench in both:
            await bench.signal()
        await world.entered[signature.name].wait()
        updates = [asyncio.create_task(updated(bench, 5)) for bench in both]
        if hangs:  # the local one ends at its limit, and an ordinary one follows
            await asyncio.gather(*(_given_up_locally(bench, signature) for bench in both))
        gate.set()
        await asyncio.gather(*updates)
        for bench in both:
            await bench.settled()
            await all_is_well(bench)


@CACHED
async def test_a_clean_up_that_is_tried_again_while_it_fails_ends(live: WorkflowEnvironment, cached: int) -> None:
    """The removal of the finalizer is refused again and again, while somebody asks for more."""
    async with benches(live, cached) as both:
        world = both[0].world
        for bench in both:
            await bench.signal()
            await bench.settled()
        refused = failure("CloudForbidden", "may not be done")
        world.fail_next(s.DELETE_FINALIZER, *[refused] * 8)
        world.deleting = True
        handles = [await bench.signal(deleting=True) for bench in both]
        asking = [asyncio.create_task(_ask_again(bench)) for bench in both]
        async with asyncio.timeout(PATIENCE_S):
            assert [await handle.result() for handle in handles] == [[], []]
            await asyncio.gather(*asking)
        for bench in both:
            await all_is_well(bench)


async def _given_up_locally(bench: Bench, signature: Signature[Any, Any]) -> None:
    """Waits until an ordinary activity has followed. Reads the history, because a query would interfere."""
    assert bench.handle is not None
    async with asyncio.timeout(PATIENCE_S):
        while True:
            events = (await bench.handle.fetch_history()).events
            if any(one.activity_task_scheduled_event_attributes.activity_type.name == signature.name for one in events):
                return
            await asyncio.sleep(0.2)


async def _ask_again(bench: Bench) -> None:
    """As people do, as long as the workflow runs."""
    assert bench.handle is not None
    while (await bench.handle.describe()).close_time is None:
        try:
            await bench.handle.execute_update(WorkspaceWorkflow.retry, rpc_timeout=timedelta(seconds=5))
        except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
            continue  # it has just ended, or does so now
        await asyncio.sleep(0.1)
