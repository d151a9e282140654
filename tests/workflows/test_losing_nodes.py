"""A node that is lost while a pass is under way: said at once, brought back, and the work begun again, a few times."""

from typing import Any

import pytest

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.signatures import Signature
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from workflows.steps.nodes import NODE_ATTEMPTS

FIRST = "Standard_NC24ads_A100_v4"


async def lose_one(bench: Bench, watches: int) -> None:
    """A node is lost when the nodes are watched for that many times."""
    await bench.until(lambda _: bench.world.calls["wait_for_node_loss"] == watches)
    bench.world.lose_a_node()


@pytest.mark.parametrize("at_work", [s.WAIT_FOR_SERVING, s.READ_COMPLETIONS], ids=["AwaitServing", "Verify"])
async def test_a_node_lost_during_the_work_is_replaced_and_the_work_restarts(
    live_bench: Bench,
    at_work: Signature[Any, Any],
) -> None:
    world = live_bench.world
    gate = world.block(at_work)
    await live_bench.signal()
    await world.entered[at_work.name].wait()
    await lose_one(live_bench, 1)
    await live_bench.until(lambda _: world.calls["wait_for_node_loss"] == 2)
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
    await live_bench.until(lambda _: world.calls["wait_for_node_loss"] == 1)
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
    gate.set()
    state = await live_bench.settled()
    assert world.bought == [(FIRST, True)] * NODE_ATTEMPTS + [(FIRST, False)]
    assert [(tried.option, tried.reason) for tried in state.status.tried] == [(f"{FIRST} as spot", "SpotEvicted")]
    assert state.resources.evictions == {f"{FIRST} as spot": NODE_ATTEMPTS}


async def test_a_watch_that_fails_leaves_the_work_alone(live_bench: Bench) -> None:
    world = live_bench.world
    world.fail_next(s.WAIT_FOR_NODE_LOSS, failure("ApiServerRefused", "nodes may not be watched"))
    at_work = world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await lose_one(live_bench, 1)  # it would be told of, if the watch had not failed
    await live_bench.until(lambda _: not world.failures_left(s.WAIT_FOR_NODE_LOSS))
    at_work.set()
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY and len(world.bought) == 1


async def test_an_edit_ends_the_watch_and_what_it_watched_beside(live_bench: Bench) -> None:
    world = live_bench.world
    gate = world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await live_bench.until(lambda _: world.calls["wait_for_node_loss"] == 1)
    gate.set()
    await live_bench.edit(digest="digest-2")
    assert (await live_bench.settled()).spec.observed == 2
    await live_bench.until(lambda _: world.cancelled["wait_for_node_loss"] == 2)
    assert len(world.bought) == 1 and world.repairs == 0  # the edit is served by the nodes that are there
