"""Orders of words and failures in which something could be forgotten: an edit, a namesake, a pool, what is true."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.contract import queues
from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.status.writer import StatusWriter
from api.resource.status import Phase
from testing.deadlines import PATIENCE_S
from tests.fakes.world import World
from tests.workflows.conftest import Bench, activity_name, confirming, workers
from worker.offer_again import offer_again
from worker.plugin import plugin
from worker.status_interceptor import StatusInterceptor, gone_reporter
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow


@asynccontextmanager
async def deciding(env: WorkflowEnvironment, world: World, cached: int = 0) -> AsyncIterator[None]:
    """A worker for workflow code and what runs locally in it; without it words and results wait."""
    bodies = {activity_name(one): one for one in world.activities()}
    writer = StatusWriter(bodies.pop(s.PATCH_STATUS.name), gone_reporter(env.client))
    async with Worker(
        env.client,
        task_queue=queues.WORKSPACES,
        workflows=[WorkspaceWorkflow],
        activities=[*bodies.values(), confirming(writer)],
        no_remote_activities=True,
        interceptors=[StatusInterceptor(writer)],
        max_cached_workflows=cached,
    ):
        yield
    await writer.drain()


async def test_an_edit_whose_message_arrives_with_the_plan_is_not_lost(live: WorkflowEnvironment) -> None:
    """Both are waiting for the workflow when it is looked at again: the plan is not the edit's, and neither is lost."""
    world = World()
    async with workers(live, world.activities(), cached_workflows=0, workflows=()):
        bench = Bench(env=live, client=live.client, world=world)
        gate = world.block(s.BUILD_PLAN)
        async with deciding(live, world):
            handle = await bench.signal()
            await world.entered["build_plan"].wait()
        gate.set()
        while (await handle.describe()).raw_description.pending_activities:
            await live.sleep(0.05)
        await bench.edit(digest="digest-2")
        async with deciding(live, world):
            state = await bench.settled()
            assert state.spec.plan is not None and (state.spec.plan.generation, state.spec.plan.digest) == (
                2,
                "digest-2",
            )
            await bench.end()


async def being_cleaned_up(bench: Bench) -> asyncio.Event:
    """A Workspace was Ready and is deleted; its pool goes when the event is set."""
    await bench.signal()
    await bench.settled()
    gate = bench.world.block(s.DELETE_NODE_POOL)
    await bench.signal(deleting=True)
    await bench.world.entered["delete_node_pool"].wait()
    return gate


async def test_a_late_message_does_not_hide_a_successor_created_during_the_clean_up(live_bench: Bench) -> None:
    world = live_bench.world
    gate = await being_cleaned_up(live_bench)
    world.uid, world.generation = "uid-2", 1  # somebody has removed the finalizer by hand
    await live_bench.signal()
    await live_bench.signal(uid="uid-0", deleting=True)
    gate.set()
    await live_bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")


FORBIDDEN = failure("CloudForbidden", "workspaces may not be read")


async def test_a_late_message_does_not_hide_a_successor_while_the_workspace_cannot_be_read(live_bench: Bench) -> None:
    world = live_bench.world
    gate = await being_cleaned_up(live_bench)
    world.uid, world.generation = "uid-2", 1
    world.fail_next(s.READ_WORKSPACE, *[FORBIDDEN] * 2)
    await live_bench.signal()
    await live_bench.until(lambda _: world.calls["read_workspace"] == 1)
    await live_bench.signal(uid="uid-0", deleting=True)
    await live_bench.until(lambda _: world.calls["read_workspace"] >= 2)
    gate.set()
    await live_bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")


async def test_a_successor_is_noticed_although_the_workspace_could_not_be_read_at_first(live_bench: Bench) -> None:
    world = live_bench.world
    await live_bench.signal()
    await live_bench.settled()
    world.uid, world.generation = "uid-2", 1  # nobody has told of the end of the first
    world.fail_next(s.READ_WORKSPACE, FORBIDDEN)
    await live_bench.signal()
    await live_bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")


async def test_a_successor_is_not_forgotten_when_the_workflow_is_cancelled(live_bench: Bench) -> None:
    world = live_bench.world
    handle = await live_bench.signal()
    await live_bench.settled()
    gate = world.block(s.READ_WORKSPACE)
    world.uid, world.generation = "uid-2", 1
    await live_bench.signal()
    await world.entered["read_workspace"].wait()
    await handle.cancel()
    gate.set()
    await live_bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")


async def test_a_refused_edit_after_another_edit_leaves_the_running_model_alone(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    world = live_bench.world
    world.entered["read_workload_preflight"].clear()
    gate = world.block(s.READ_WORKLOAD_PREFLIGHT)
    await live_bench.edit(digest="digest-2")
    await world.entered["read_workload_preflight"].wait()
    world.fail_next(s.BUILD_PLAN, failure("InvalidSpec", "resource.count is 0"))
    await live_bench.edit()
    gate.set()
    state = await live_bench.settled()
    assert (state.status.phase, state.status.reason) == (Phase.READY, "InvalidSpec")
    assert world.pools and world.workloads


async def test_cancelling_the_workflow_while_it_reads_the_workspace_is_a_delete(live_bench: Bench) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    gate = live_bench.world.block(s.READ_WORKSPACE)
    await live_bench.signal(uid="uid-0", deleting=True)
    await live_bench.world.entered["read_workspace"].wait()
    await handle.cancel()
    gate.set()
    assert await handle.result() == []
    assert not live_bench.world.pools and not live_bench.world.finalizer


async def test_what_cannot_be_released_after_a_failure_stays_on_record_and_is_retried(live_bench: Bench) -> None:
    world = live_bench.world
    world.fail_next(s.WAIT_FOR_SERVING, failure("ContainerOOMKilled", "out of memory", final=True))
    world.fail_next(s.DELETE_NODE_POOL, failure("CloudForbidden", "the role is gone"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.phase, state.status.reason) == (Phase.FAILED, "ContainerOOMKilled")
    left = "not released, and still costs money: node_pool wsjje2z6fgxv, because the role is gone"
    assert left in state.status.message
    assert world.pools and world.finalizer
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: not state.resources.holdings)
    assert (state.status.settled, state.status.reason, state.status.message) == (
        "failed",
        "ContainerOOMKilled",
        "out of memory",
    )
    assert not world.pools and world.calls["ensure_node_pool"] == 1


async def test_an_update_at_a_restart_leaves_a_history_that_replays(live: WorkflowEnvironment) -> None:
    """While a worker that starts has the statuses offered, an activity ends and an update comes.

    A query in that place broke the history: a worker that answers one without having the workflow in its cache replays
    the end of the activity with it, although the workflow task that the end belongs to has not begun. The update then
    comes in an activation of its own and is recorded after what followed the activity; a replay gets both at once and
    expects the update first (TMPRL1100). The fault is in the SDK's core.
    """
    world = World()
    async with workers(live, world.activities(), cached_workflows=0, workflows=()):
        bench = Bench(env=live, client=live.client, world=world)
        gate = world.block(s.BUILD_PLAN)
        async with deciding(live, world, cached=100):
            handle = await bench.signal()
            await world.entered["build_plan"].wait()
            await bench.progress()
        async with asyncio.timeout(PATIENCE_S):
            while not await offer_again(live.client):
                await asyncio.sleep(0.1)
            gate.set()
            while (await handle.describe()).raw_description.pending_activities:
                await asyncio.sleep(0.05)
        update = asyncio.create_task(handle.execute_update(WorkspaceWorkflow.set_deadline, Deadline(serving=100)))
        async with deciding(live, world, cached=100):
            await update
            await bench.end()
    replayer = Replayer(workflows=[WorkspaceWorkflow], plugins=[plugin(sandboxed=False)])
    await replayer.replay_workflow(await handle.fetch_history())
