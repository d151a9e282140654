"""While the AKS cluster is stopped or upgraded, a Workspace waits and says so; then it goes on where it was."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.signatures import Signature
from api.resource.status import Phase
from tests.fakes.world import INSTANCE_TYPE
from tests.workflows.conftest import Bench, progress_of
from workflows.state import WorkspaceState
from workflows.workspace import WorkspaceWorkflow

IS_STOPPED = "The AKS cluster aks is stopped: nothing is bought or released until it is started (az aks start)"


def stopped(reason: str = "ClusterStopped") -> ApplicationError:
    return failure(reason, IS_STOPPED, final=True)


def still_stopped() -> ApplicationError:
    return failure("ClusterStopped", IS_STOPPED, retry_after=timedelta(minutes=5))


async def held_up(bench: Bench, signature: Signature[Any, Any], *, reason: str = "ClusterStopped") -> asyncio.Event:
    """The next call of that activity meets such a cluster, which takes changes when the returned event is set."""
    bench.world.fail_next(signature, stopped(reason))
    return bench.world.block(s.READ_OWNED_POOLS)


def waits(state: WorkspaceState) -> bool:
    return state.status.reason in ("ClusterStopped", "ClusterUpgrading")


@pytest.mark.parametrize("reason", ["ClusterStopped", "ClusterUpgrading"])
async def test_a_purchase_waits_and_the_status_says_for_what(live_bench: Bench, reason: str) -> None:
    gate = await held_up(live_bench, s.ENSURE_NODE_POOL, reason=reason)
    await live_bench.signal()
    state = await live_bench.until(waits)
    assert (state.status.phase, state.status.reason) == (Phase.PROVISIONING, reason)
    assert state.status.message == IS_STOPPED and state.status.deadline is None
    gate.set()
    state = await live_bench.settled()
    assert (live_bench.world.calls["ensure_node_pool"], len(live_bench.world.bought)) == (2, 1)
    assert await live_bench.delete() == []


async def test_after_the_wait_the_status_says_what_it_said_before(live_bench: Bench) -> None:
    gate = await held_up(live_bench, s.ENSURE_NODE_POOL)
    await live_bench.signal()
    await live_bench.until(waits)
    buying = live_bench.world.block(s.ENSURE_NODE_POOL)
    gate.set()
    state = await live_bench.until(lambda state: not waits(state))
    assert state.status.reason == "NodeClaimNotReady" and state.status.message.startswith("buying 1 x ")
    assert state.status.deadline is not None
    buying.set()
    await live_bench.settled()


async def test_a_release_waits_too_and_happens_afterwards(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    gate = await held_up(live_bench, s.DELETE_NODE_POOL)
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    state = await live_bench.until(waits)
    assert (state.status.phase, len(live_bench.world.pools)) == (Phase.DELETING, 1)
    gate.set()
    assert await handle.result() == []
    assert (live_bench.world.pools, live_bench.world.finalizer) == ({}, False)


async def test_a_workspace_deleted_while_its_purchase_waits_is_released(live_bench: Bench) -> None:
    await held_up(live_bench, s.ENSURE_NODE_POOL)
    await live_bench.signal()
    await live_bench.until(waits)
    assert await live_bench.delete() == []
    assert live_bench.world.bought == []


async def test_a_clean_up_that_waits_can_be_forced(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    await held_up(live_bench, s.DELETE_NODE_POOL)
    live_bench.world.deleting = True
    handle = await live_bench.signal(deleting=True)
    await live_bench.until(waits)
    await handle.execute_update(WorkspaceWorkflow.force_cleanup)
    assert [left.split()[0] for left in await handle.result()] == ["node_pool"]


async def test_a_node_that_went_with_the_cluster_is_not_replaced_nor_counted_as_evicted(live_bench: Bench) -> None:
    world = live_bench.world
    world.options = [(INSTANCE_TYPE, True)]
    serving = world.block(s.WAIT_FOR_SERVING)
    await live_bench.signal()
    await live_bench.until(lambda _: world.calls["wait_for_serving"] == 1)
    gate = await held_up(live_bench, s.ENSURE_NODE_POOL)
    world.lose_a_node()
    await live_bench.until(waits)
    gate.set()
    serving.set()
    state = await live_bench.settled()
    assert world.repairs == 0, "the nodes come back with the cluster"
    assert sum(state.resources.evictions.values()) == 0 and not state.resources.lost


async def test_a_stop_of_two_days_is_neither_billed_nor_too_long(bench: Bench) -> None:
    world = bench.world
    await bench.signal()
    await bench.settled()
    looks = int(timedelta(days=2) / timedelta(minutes=5))
    world.fail_next(s.DELETE_NODE_POOL, stopped())
    world.fail_next(s.READ_OWNED_POOLS, *(still_stopped() for _ in range(looks)))
    world.deleting = True
    handle = await bench.signal(deleting=True)
    assert await handle.result() == []
    state = await progress_of(handle)
    assert world.failures_left(s.READ_OWNED_POOLS) == 0 and world.calls["delete_node_pool"] == 2
    assert state.resources.ledger.node_seconds < 12 * 3600
