"""Words that never arrived are made good within the hour, and the cost goes on being told."""

from datetime import timedelta

from activities.contract import signatures as s
from activities.contract.failures import failure
from tests.workflows.conftest import Bench
from workflows.resync import RESYNC, interval_of

SOON_AFTER = RESYNC + timedelta(minutes=1)


async def test_a_ready_workspace_that_vanished_without_an_event_is_released(bench: Bench) -> None:
    handle = await bench.signal()
    await bench.settled()
    bench.world.exists = False
    await bench.env.sleep(SOON_AFTER)
    assert await handle.result() == []
    assert not bench.world.pools and not bench.world.workloads


async def test_a_failed_workspace_that_vanished_without_an_event_ends(bench: Bench) -> None:
    bench.world.fail_next(s.BUILD_PLAN, failure("PresetUnknown", "no such preset"))
    handle = await bench.signal()
    await bench.settled("failed")
    bench.world.exists = False
    await bench.env.sleep(SOON_AFTER)
    assert await handle.result() == []


async def test_an_edit_of_a_failed_workspace_without_an_event_is_noticed(bench: Bench) -> None:
    bench.world.fail_next(s.BUILD_PLAN, failure("PresetUnknown", "no such preset"))
    await bench.signal()
    await bench.settled("failed")
    bench.world.generation += 1
    await bench.env.sleep(SOON_AFTER)
    assert (await bench.settled()).spec.observed == 2


async def test_the_cost_of_the_last_hour_is_reported(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    await bench.env.sleep(SOON_AFTER)
    costs = [status["cost"] for status in bench.world.statuses if "cost" in status]
    assert costs[-1]["currency"] == "USD"
    interval_s = interval_of(bench.world.uid).total_seconds()  # since the start; the nodes are a little younger
    assert interval_s - 60 < costs[-1]["nodeSeconds"] < interval_s + 600
    assert float(costs[-1]["spent"]) == round(3.67 * costs[-1]["nodeSeconds"] / 3600, 2)


async def test_a_purchase_that_the_cloud_refused_has_cost_nothing(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, failure("QuotaExceeded", "0 of 24 vCPUs"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.resources.ledger.open == [] and state.resources.ledger.node_seconds == 0
    assert not live_bench.world.statuses[-1]["cost"]
