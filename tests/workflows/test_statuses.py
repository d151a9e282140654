"""Statuses go past the history, and none is lost with a process, written twice, or written to what is gone."""

import asyncio

from temporalio.testing import WorkflowEnvironment

from activities.contract import signatures as s
from activities.contract.payloads import Observed, StatusPatch
from testing.deadlines import PATIENCE_S
from tests.fakes.world import World
from tests.workflows.conftest import Bench, workers
from worker.offer_again import offer_again

CACHED = 100


async def test_a_status_that_died_with_its_process_is_written_by_the_next(live: WorkflowEnvironment) -> None:
    bench = Bench(env=live, client=live.client, world=World())
    gate = bench.world.block(s.WAIT_FOR_SERVING)

    async def never(patch: StatusPatch) -> Observed:
        await asyncio.Event().wait()
        raise AssertionError("nothing ends this wait but the end of the process")

    async with workers(live, bench.world.activities(), CACHED, write=never):
        await bench.signal()
        await bench.world.entered["wait_for_serving"].wait()
    async with workers(live, bench.world.activities(), CACHED):
        await bench.world.entered["wait_for_serving"].wait()
        assert bench.world.statuses == []
        async with asyncio.timeout(PATIENCE_S):
            while not (await offer_again(live.client) and bench.world.statuses):
                await asyncio.sleep(0.1)
        assert bench.world.statuses[-1]["phase"] == "Deploying"
        gate.set()
        await bench.settled()
        await bench.end()


async def test_a_workspace_at_rest_has_its_last_status_written(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.until(lambda _: (live_bench.world.statuses or [{}])[-1].get("phase") == "Ready")
    scheduled = await live_bench.scheduled()
    assert scheduled[s.PATCH_STATUS.name] == 1  # locally, where it came to rest


async def test_a_rest_without_an_api_server_is_confirmed_later(live_bench: Bench) -> None:
    gate = live_bench.world.block(s.PATCH_STATUS)
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.until(lambda state: state.status.phase == "Ready")
    assert live_bench.world.statuses == []
    gate.set()
    await live_bench.until(lambda _: (live_bench.world.statuses or [{}])[-1].get("phase") == "Ready")


async def test_a_workspace_that_the_writer_finds_gone_is_released(live_bench: Bench) -> None:
    live_bench.world.block(s.WAIT_FOR_SERVING)
    handle = await live_bench.signal()
    await live_bench.world.entered["wait_for_serving"].wait()
    live_bench.world.exists = False
    await handle.signal("gone", {"uid": "uid-of-another"})
    assert not (await live_bench.progress()).spec.deleting
    await handle.signal("gone", {"uid": live_bench.world.uid})
    assert await handle.result() == []
    assert not live_bench.world.pools and not live_bench.world.workloads


async def test_nothing_is_written_once_the_finalizer_is_gone(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.delete()
    assert live_bench.world.order[-1] == "delete_finalizer", live_bench.world.order
    revisions = [status["revision"] for status in live_bench.world.statuses]
    assert revisions == sorted(set(revisions))
