"""Whoever brings the nodes: the same way through the steps, by the provider's own activities and by no other's."""

from typing import Any

import pytest

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.providers import STEPS
from activities.contract.sweep import OwnedResource
from api.providers import Provider
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from tests.workflows.test_sweeping import sweep
from workflows.workspace import WorkspaceWorkflow

EVERY: tuple[Provider, ...] = ("aks", "karpenter", "byo")
OTHERS: tuple[Provider, ...] = ("karpenter", "byo")
WAIT_S = 900
UNLABELLED = failure(
    "NoMatchingNodes",
    "no node with a GPU matches apps=llm: no node has these labels. Label one: kubectl label node NAME apps=llm",
    final=True,
    wait_s=WAIT_S,
)
"""As the planner says it: it does not try again by itself."""
TOO_LATE = failure("NoMatchingNodes", "after 15 min: no node with a GPU matches apps=llm", final=True)
GONE = WorkspaceKey(namespace="default", name="gone", uid="uid-gone")


def provider_calls(bench: Bench) -> dict[str, int]:
    """How often activities that belong to a provider were called."""
    own = {one.name for steps in STEPS.values() for one in (steps.check, steps.ensure, steps.release)}
    return {name: count for name, count in bench.world.calls.items() if name in own}


@pytest.mark.parametrize("provider", EVERY)
async def test_a_workspace_lives_and_goes_with_one_provider(live_bench: Bench, provider: Provider) -> None:
    live_bench.world.provider, steps = provider, STEPS[provider]
    await live_bench.signal()
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY and state.spec.plan is not None and state.spec.plan.provider == provider
    assert await live_bench.delete() == []
    assert not live_bench.world.pools and not live_bench.world.exists
    assert provider_calls(live_bench) == {one.name: 1 for one in (steps.check, steps.ensure, steps.release)}
    assert live_bench.world.calls["wait_for_no_nodes"] == steps.nodes_go


@pytest.mark.parametrize("provider", OTHERS)
async def test_a_workspace_keeps_its_provider_when_the_installation_changes(
    live_bench: Bench, provider: Provider
) -> None:
    live_bench.world.provider = provider
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.provider = "aks"
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.spec.plan is not None and (state.spec.plan.provider, state.spec.plan.digest) == (provider, "digest-2")
    await live_bench.delete()
    assert not live_bench.world.pools and live_bench.world.calls["delete_node_pool"] == 0


@pytest.mark.parametrize("provider", EVERY)
async def test_providers_that_hold_nodes_are_listed_without_a_plan(live_bench: Bench, provider: Provider) -> None:
    world = live_bench.world
    world.provider, world.pools = provider, {"left-by-a-workflow-before": world.instance_type}
    world.fail_next(s.BUILD_PLAN, failure("InvalidSpec", "resource.count is 0"))
    await live_bench.signal()
    await live_bench.settled("failed")
    await live_bench.delete()
    assert world.calls["read_providers"] == 1 and not world.pools
    assert provider_calls(live_bench) == {STEPS[provider].release.name: 1}


async def test_nodes_are_waited_for_when_every_provider_was_told(live_bench: Bench) -> None:
    """Nodes of the second one are still there while the first one has nothing left."""
    world = live_bench.world
    world.provider, world.more_providers = "karpenter", ["aks", "byo"]
    world.fail_next(s.BUILD_PLAN, failure("InvalidSpec", "resource.count is 0"))
    await live_bench.signal()
    await live_bench.settled("failed")
    await live_bench.delete()
    assert provider_calls(live_bench) == {STEPS[provider].release.name: 1 for provider in EVERY}
    assert world.calls["wait_for_no_nodes"] == 1


async def test_byo_nodes_that_are_not_free_in_time_are_reported_and_released(live_bench: Bench) -> None:
    live_bench.world.provider = "byo"
    message = "after 45 min: 0 of 2 matching nodes have a free GPU, 1 is needed"
    live_bench.world.fail_next(s.ENSURE_NODE_RESERVATIONS, failure("NoMatchingNodes", message, final=True))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("NoMatchingNodes", message)
    assert live_bench.world.calls["delete_node_reservations"] == 1 and not state.resources.holdings


async def test_byo_nodes_have_no_price_and_only_node_seconds_are_reported(live_bench: Bench) -> None:
    live_bench.world.provider = "byo"
    await live_bench.signal()
    state = await live_bench.settled()
    assert state.status.message == "serving org/model on 1 x own node with 1 GPU"
    await live_bench.delete()
    assert state.resources.ledger.open[0].price_per_hour is None
    assert all("spent" not in status.get("cost", {}) for status in live_bench.world.statuses)
    plans = [status["plan"] for status in live_bench.world.statuses if status.get("plan")]
    assert plans and all(plan["provider"] == "byo" and "instanceType" not in plan for plan in plans)


async def test_a_lost_byo_node_is_noticed_without_a_node_to_plan_for(live_bench: Bench) -> None:
    live_bench.world.provider = "byo"
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.nodes_are_there = False
    live_bench.world.fail_next(s.BUILD_PLAN, UNLABELLED)
    live_bench.world.fail_next(s.WAIT_FOR_OWN_NODES, TOO_LATE)
    await live_bench.signal(resync=True)
    state = await live_bench.settled("failed")
    assert (state.status.phase, state.status.reason) == (Phase.FAILED, "NoMatchingNodes")
    assert not live_bench.world.pools and not state.resources.holdings
    assert next(one["reason"] for one in live_bench.world.statuses if one.get("phase") == "NotReady") == "NodeLost"


async def test_a_node_that_is_labelled_later_is_waited_for_with_words_in_the_status(live_bench: Bench) -> None:
    world = live_bench.world
    world.provider = "byo"
    world.fail_next(s.BUILD_PLAN, UNLABELLED)
    labelled = world.block(s.WAIT_FOR_OWN_NODES)
    await live_bench.signal()
    state = await live_bench.until(lambda state: state.status.reason == "NoMatchingNodes")
    assert state.status.phase is Phase.PREFLIGHT and state.status.settled == "nothing"
    assert "kubectl label node NAME apps=llm" in state.status.message and "goes on by itself" in state.status.message
    assert state.status.since and state.status.deadline
    assert (state.status.deadline - state.status.since).total_seconds() == WAIT_S
    await live_bench.until(lambda _: world.statuses_by_uid["uid-1"]["reason"] == "NoMatchingNodes")
    labelled.set()
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY and world.calls["build_plan"] == 2


async def test_nodes_that_are_never_labelled_fail_the_workspace_and_a_retry_goes_on(live_bench: Bench) -> None:
    world = live_bench.world
    world.provider = "byo"
    world.fail_next(s.BUILD_PLAN, UNLABELLED)
    world.fail_next(s.WAIT_FOR_OWN_NODES, TOO_LATE)
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("NoMatchingNodes", TOO_LATE.message)
    await live_bench.signal(retry="1")
    assert (await live_bench.settled()).status.phase is Phase.READY


async def test_an_edit_ends_the_wait_for_a_label(live_bench: Bench) -> None:
    world = live_bench.world
    world.provider = "byo"
    world.fail_next(s.BUILD_PLAN, UNLABELLED)
    world.block(s.WAIT_FOR_OWN_NODES)
    await live_bench.signal()
    await world.entered["wait_for_own_nodes"].wait()
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.status.phase is Phase.READY and state.spec.plan and state.spec.plan.digest == "digest-2"


async def test_an_edit_whose_labels_no_node_has_leaves_what_runs(live_bench: Bench) -> None:
    world = live_bench.world
    world.provider = "byo"
    await live_bench.signal()
    await live_bench.settled()
    world.fail_next(s.BUILD_PLAN, UNLABELLED)
    await live_bench.edit(digest="digest-2")
    state = await live_bench.until(lambda state: state.status.reason == "NoMatchingNodes")
    assert state.status.phase is Phase.READY and "is not applied" in state.status.message
    assert world.calls["wait_for_own_nodes"] == 0 and world.pools


@pytest.mark.parametrize(
    ("orphan", "release"),
    [
        (OwnedResource(kind="node_claims", name="wsabcdefgh*", workspace=GONE), s.DELETE_NODE_CLAIMS),
        (
            OwnedResource(
                kind="node_reservations",
                name="gpus.modelyard.dev/uid-gone",
                workspace=WorkspaceKey(namespace="", name="", uid="uid-gone"),
            ),
            s.DELETE_NODE_RESERVATIONS,
        ),
    ],
    ids=["claims", "reservations"],
)
@pytest.mark.parametrize("installed", EVERY)
async def test_what_a_workspace_left_in_the_cluster_is_swept(
    live_bench: Bench,
    installed: Provider,
    orphan: OwnedResource,
    release: s.Signature[Any, Any],
) -> None:
    live_bench.world.provider, live_bench.world.inventory = installed, [orphan]
    report = await sweep(live_bench)
    assert report.found.orphans == (orphan,) and not report.failed
    assert live_bench.world.calls[release.name] == 1 and live_bench.world.inventory == []
    assert (live_bench.world.calls["read_owned_pools"] > 0) == (installed == "aks"), (
        "without a cloud worker, the cloud is not queried"
    )


async def test_nodes_that_have_not_joined_are_looked_for_when_their_pool_is_gone(live_bench: Bench) -> None:
    """Nothing is there to be seen before, and a machine that still starts may join while its pool is deleted."""
    world = live_bench.world
    world.block(s.ENSURE_NODE_POOL)
    gate = world.block(s.DELETE_NODE_POOL)
    await live_bench.signal()
    await world.entered["ensure_node_pool"].wait()
    world.deleting = True
    handle = await live_bench.signal(deleting=True)
    await world.entered["delete_node_pool"].wait()
    assert (await live_bench.scheduled())[s.WAIT_FOR_NO_NODES.name] == 0
    gate.set()
    assert await handle.result() == []
    assert world.calls["wait_for_no_nodes"] == 1


async def test_what_a_pool_has_cost_is_settled_when_it_is_gone_whatever_is_left_of_its_nodes(live_bench: Bench) -> None:
    world = live_bench.world
    await live_bench.signal()
    await live_bench.settled()
    left = failure("CleanupBlocked", "Node objects are left: node-1. Delete them", final=True)
    world.fail_next(s.WAIT_FOR_NO_NODES, left, left)
    world.deleting = True
    handle = await live_bench.signal(deleting=True)
    state = await live_bench.until(lambda state: state.status.reason == "CleanupBlocked")
    assert not world.pools and state.resources.ledger.open == [] and state.resources.ledger.node_seconds > 0
    await handle.execute_update(WorkspaceWorkflow.retry)
    assert await handle.result() == []
