"""The provider `byo` against a real API server: GPUs of Nodes that are there, pods of others, Workspaces that race."""

import asyncio
from typing import Any

from activities.clients.kubernetes import Cluster
from activities.clients.view.cluster_view import ClusterView
from activities.contract.nodes import PoolKey
from activities.contract.plan import Plan
from activities.nodes.byo.provider import OwnNodes
from activities.nodes.reservation_labels import reservations_of
from testing.deadlines import PATIENCE_S
from tests.builders import a_plan
from tests.integration.nodes.attempts import Attempt, done, refused
from tests.integration.nodes.conftest import Bench
from tests.integration.nodes.provisioner import delete


async def plan_of(bench: Bench, **changes: Any) -> Plan:
    return a_plan(await bench.workspace(), **({"node_labels": bench.match, "instance_type": ""} | changes))


def pool_key(plan: Plan) -> PoolKey:
    return PoolKey(workspace=plan.key, pool_name=plan.pool_name)


async def reservations(bench: Bench) -> dict[str, dict[str, int]]:
    found, _ = await bench.admin.list_all("Node", selector=f"apps={bench.match['apps']}")
    return {node["metadata"]["name"]: reservations_of(node) for node in found}


async def test_gpus_are_reserved_once_and_let_go(bench: Bench, cluster: Cluster) -> None:
    nodes, plan = OwnNodes(ClusterView(cluster)), await plan_of(bench, node_count=2, gpus_per_node=2)
    names = [await bench.node(f"gpu-{index}", gpus=2) for index in range(3)]
    assert (await done(nodes.ensure_node_pool, plan)).node_count == 2
    assert (await done(nodes.ensure_node_pool, plan)).node_count == 2
    assert await reservations(bench) == {names[0]: {plan.key.uid: 2}, names[1]: {plan.key.uid: 2}, names[2]: {}}
    looked = await nodes.read_held(pool_key(plan))
    assert looked is not None and looked.node_count == 2
    assert (await done(nodes.delete_node_pool, pool_key(plan))).existed
    assert await nodes.read_held(pool_key(plan)) is None
    assert not (await done(nodes.delete_node_pool, pool_key(plan))).existed


async def test_what_others_use_is_told_at_the_deadline(bench: Bench, cluster: Cluster) -> None:
    plan = await plan_of(bench, provision_s=2)
    first, second = await bench.node("gpu-1"), await bench.node("gpu-2", gpus=0)
    await bench.pod("other-pod", first)
    error = await refused(OwnNodes(ClusterView(cluster)).ensure_node_pool, plan)
    assert error.type == "NoMatchingNodes" and error.non_retryable
    assert "0 of 2 matching nodes have a free GPU, 1 is needed" in error.message
    assert f"{first} uses 1 of 1 (default/other-pod), {second} offers no GPU" in error.message


async def test_a_gpu_that_becomes_free_is_taken_at_once(bench: Bench, cluster: Cluster) -> None:
    plan = await plan_of(bench)
    await bench.pod("other-pod", await bench.node("gpu-1"))
    waiting = Attempt(OwnNodes(ClusterView(cluster)).ensure_node_pool, plan)
    await waiting.until_beat(lambda counts: counts == {"matching": 1, "free": 0, "wanted": 1})
    await bench.remove_pod("other-pod")
    async with asyncio.timeout(PATIENCE_S):
        assert (await waiting.task).node_count == 1


async def test_a_node_that_is_labelled_later_is_taken(bench: Bench, cluster: Cluster) -> None:
    plan = await plan_of(bench)
    waiting = Attempt(OwnNodes(ClusterView(cluster)).ensure_node_pool, plan)
    await waiting.until_beat(lambda counts: counts["matching"] == 0)
    await bench.node("gpu-1")
    async with asyncio.timeout(PATIENCE_S):
        assert (await waiting.task).node_count == 1


async def test_two_that_race_for_one_gpu_get_it_one_after_the_other(bench: Bench, cluster: Cluster) -> None:
    nodes = OwnNodes(ClusterView(cluster))
    await bench.node("gpu-1")
    plans = {attempt: plan for plan in [await plan_of(bench) for _ in range(2)]
             if (attempt := Attempt(nodes.ensure_node_pool, plan))}  # fmt: skip
    done_first, waiting = await asyncio.wait(
        [attempt.task for attempt in plans], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
    )
    assert len(done_first) == len(waiting) == 1
    winner = next(plan for attempt, plan in plans.items() if attempt.task in done_first)
    assert list((await reservations(bench)).values()) == [{winner.key.uid: 1}]
    await done(nodes.delete_node_pool, pool_key(winner))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*waiting)


async def test_of_many_that_race_exactly_as_many_win_as_there_are_gpus(bench: Bench, cluster: Cluster) -> None:
    nodes = OwnNodes(ClusterView(cluster))
    for index in range(2):
        await bench.node(f"gpu-{index}", gpus=3)
    attempts = [Attempt(nodes.ensure_node_pool, await plan_of(bench)) for _ in range(10)]
    async with asyncio.timeout(PATIENCE_S):
        while sum(attempt.task.done() for attempt in attempts) < 6:
            await asyncio.sleep(0.05)
    for attempt in attempts:
        if attempt.task.done():
            attempt.task.result()
        else:
            await attempt.cancelled()
    assert [sum(held.values()) for held in (await reservations(bench)).values()] == [3, 3]


async def test_gangs_that_want_the_same_nodes_do_not_block_each_other(bench: Bench, cluster: Cluster) -> None:
    nodes = OwnNodes(ClusterView(cluster))
    for index in range(3):
        await bench.node(f"gpu-{index}")
    attempts = {}
    for _ in range(3):
        plan = await plan_of(bench, node_count=2)
        attempts[Attempt(nodes.ensure_node_pool, plan).task] = plan
    async with asyncio.timeout(PATIENCE_S):
        while attempts:
            finished, _ = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                assert task.result().node_count == 2
                await done(nodes.delete_node_pool, pool_key(attempts.pop(task)))


async def test_the_reservation_of_a_workspace_that_is_gone_is_no_hindrance(bench: Bench, cluster: Cluster) -> None:
    nodes, gone = OwnNodes(ClusterView(cluster)), await plan_of(bench)
    await bench.node("gpu-1")
    await done(nodes.ensure_node_pool, gone)
    await delete(bench.admin, "Workspace", gone.key.name, gone.key.namespace)
    plan = await plan_of(bench)
    async with asyncio.timeout(PATIENCE_S):
        await done(nodes.ensure_node_pool, plan)
    assert list((await reservations(bench)).values()) == [{plan.key.uid: 1}]


async def test_who_is_cancelled_while_waiting_holds_nothing_and_can_go_on(bench: Bench, cluster: Cluster) -> None:
    nodes, plan = OwnNodes(ClusterView(cluster)), await plan_of(bench, node_count=2)
    await bench.node("gpu-1")
    first = Attempt(nodes.ensure_node_pool, plan)
    await first.until_beat(lambda counts: counts["free"] == 1)
    await first.cancelled()
    assert list((await reservations(bench)).values()) == [{}]
    second = Attempt(nodes.ensure_node_pool, plan)
    await second.until_beat(lambda counts: counts["free"] == 1)
    assert (await second.drained()).type == "WorkerDraining"
    await bench.node("gpu-2")
    assert (await done(nodes.ensure_node_pool, plan)).node_count == 2
