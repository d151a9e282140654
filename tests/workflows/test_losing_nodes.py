"""A node that is lost while a pass is under way: said at once, brought back, and the work begun again, a few times."""

from typing import Any

import pytest

from activities.contract import signatures as s
from activities.contract.signatures import Signature
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from workflows.steps.nodes import NODE_ATTEMPTS

FIRST = "Standard_NC24ads_A100_v4"


async def lose_one(bench: Bench, times: int, at_work: Signature[Any, Any] = s.WAIT_FOR_SERVING) -> None:
    """A node is lost when the work on it has begun that many times."""
    await bench.until(lambda _: bench.world.calls[at_work.name] == times)
    bench.world.lose_a_node()


@pytest.mark.parametrize("at_work", [s.WAIT_FOR_SERVING, s.READ_COMPLETIONS], ids=["AwaitServing", "Verify"])
async def test_a_node_lost_during_the_work_is_replaced_and_the_work_restarts(
    live_bench: Bench,
    at_work: Signature[Any, Any],
) -> None:
    world = live_bench.world
    gate = world.block(at_work)
    await live_bench.signal()
    await lose_one(live_bench, 1, at_work)
    await live_bench.until(lambda _: world.calls[at_work.name] == 2)
    gate.set()
    state = await live_bench.settled()
    assert (state.status.phase, state.resources.nodes, state.resources.lost) == (Phase.READY, ["node-1"], False)
    assert world.repairs == 1 and len(world.bought) == 2
    assert world.calls["wait_for_serving"] == 2, "the work restarted"
    assert world.calls["delete_node_pool"] == 0 and world.calls["build_plan"] == 1
    assert await live_bench.delete() == []


async def test_the_loss_is_reported_while_the_node_is_replaced(live_bench: Bench) -> None:
    world = live_bench.world
    world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await world.entered["wait_for_serving"].wait()
    gate = world.block(s.ENSURE_NODE_POOL)
    world.lose_a_node()
    state = await live_bench.until(lambda state: state.resources.lost)
    assert (state.status.phase, state.status.reason, state.resources.nodes) == (Phase.PROVISIONING, "NodeLost", [])
    assert state.status.message.startswith("no longer ready: node-1; it is replaced: buying 1 x ")
    await live_bench.until(lambda _: world.statuses[-1].get("reason") == "NodeLost")
    ready = {one["type"]: one["status"] for one in world.statuses[-1]["conditions"]}
    assert ready["NodesReady"] == ready["ResourceReady"] == "False"
    gate.set()


async def test_nodes_that_are_lost_repeatedly_are_released(live_bench: Bench) -> None:
    world = live_bench.world
    world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    for times in range(1, NODE_ATTEMPTS + 1):
        await lose_one(live_bench, times)
    state = await live_bench.settled("failed")
    assert state.status.reason == "NodeLost"
    assert state.status.message == "nodes were lost 3 times in one pass: no longer ready: node-1; it is replaced"
    assert len(world.bought) == NODE_ATTEMPTS and not world.pools and not state.resources.holdings


async def test_after_spot_evictions_during_a_pass_the_next_option_is_tried(live_bench: Bench) -> None:
    world = live_bench.world
    world.options = [(FIRST, True), (FIRST, False)]
    gate = world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    for times in range(1, NODE_ATTEMPTS + 1):
        await lose_one(live_bench, times)
    await live_bench.until(lambda _: len(world.bought) == NODE_ATTEMPTS + 1)
    gate.set()
    state = await live_bench.settled()
    assert world.bought == [(FIRST, True)] * NODE_ATTEMPTS + [(FIRST, False)]
    assert [(tried.option, tried.reason) for tried in state.status.tried] == [(f"{FIRST} as spot", "SpotEvicted")]
    assert state.resources.evictions == {f"{FIRST} as spot": NODE_ATTEMPTS}


async def test_an_edit_is_served_by_the_nodes_that_are_there(live_bench: Bench) -> None:
    world = live_bench.world
    gate = world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await world.entered["wait_for_serving"].wait()
    await live_bench.edit(digest="digest-2")
    await live_bench.until(lambda _: world.cancelled["wait_for_serving"] == 1)
    gate.set()
    assert (await live_bench.settled()).spec.observed == 2
    assert len(world.bought) == 1 and world.repairs == 0
