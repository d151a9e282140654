"""Walks every activity: named by its verb, on a queue, with a policy, implemented with the types it promises."""

from datetime import timedelta
from typing import Any, get_type_hints

import pytest
from temporalio import activity
from temporalio.workflow import ActivityCancellationType

from activities.contract import queues, signatures
from activities.contract import signatures as s
from activities.contract.policies import (
    ASKING_HEARTBEAT_TIMEOUT,
    AWAY_MAX,
    HEARTBEAT_EVERY,
    HEARTBEAT_TIMEOUT,
    config_of,
)
from activities.contract.queues import Order
from activities.contract.signatures import Signature
from activities.heartbeat import pause_between_beats
from activities.nodes.aks.provider import AgentPools
from activities.nodes.byo.provider import OwnNodes
from activities.nodes.karpenter.provider import NodeClaims
from activities.nodes.readiness import Nodes
from activities.planning.models import Models
from activities.planning.own_nodes import OwnMachines
from activities.planning.planner import Planner
from activities.preflight.azure import PreflightChecks
from activities.preflight.cluster import ClusterChecks
from activities.preflight.gpus import GpuOffers
from activities.preflight.workload import WorkloadPreflight
from activities.serving.completions import Verification
from activities.serving.workloads import Workloads
from activities.status.statuses import Statuses
from activities.sweep.nodes import ClusterHoldings
from activities.sweep.workspaces import Populations
from activities.tuning.adapter_verification import Adapters
from activities.tuning.jobs import TuningJobs
from activities.workspaces import Workspaces

VERBS = ("read_", "ensure_", "wait_for_", "patch_", "build_", "delete_")
CLASSES = (
    WorkloadPreflight,
    Models,
    AgentPools,
    NodeClaims,
    OwnNodes,
    ClusterChecks,
    ClusterHoldings,
    GpuOffers,
    Populations,
    PreflightChecks,
    Nodes,
    OwnMachines,
    Planner,
    Statuses,
    TuningJobs,
    Adapters,
    Verification,
    Workloads,
    Workspaces,
)
BODIES = {
    definition.name: body
    for cls in CLASSES
    for body in vars(cls).values()
    if (definition := activity._Definition.from_callable(body)) is not None
}  # fmt: skip
RELEASING = (s.WAIT_FOR_NO_NODES, s.READ_PROVIDERS)
EVERY = pytest.mark.parametrize("signature", signatures.ALL, ids=lambda signature: signature.name)


@EVERY
def test_an_activity_begins_with_a_verb_and_has_a_queue(signature: Signature[Any, Any]) -> None:
    assert signature.name.startswith(VERBS)
    assert signature.queue in queues.ALL


@EVERY
def test_an_activity_is_implemented_with_the_types_of_its_signature(signature: Signature[Any, Any]) -> None:
    hints = get_type_hints(BODIES[signature.name])
    assert hints.pop("return") is signature.result
    assert list(hints.values()) == [signature.argument]


def test_nothing_is_implemented_that_has_no_signature() -> None:
    assert set(BODIES) == set(signatures.BY_NAME)


@EVERY
def test_an_activity_has_deadlines_and_heartbeats_where_it_waits(signature: Signature[Any, Any]) -> None:
    config = config_of(signature)
    start, whole = config["start_to_close_timeout"], config["schedule_to_close_timeout"]
    assert start is not None and whole is not None and start <= whole
    assert (config.get("heartbeat_timeout") == HEARTBEAT_TIMEOUT) == signature.waits
    retry = config["retry_policy"]
    assert retry is not None and retry.maximum_interval is not None and retry.maximum_interval <= whole


@EVERY
def test_a_start_that_is_lost_costs_seconds(signature: Signature[Any, Any]) -> None:
    config = config_of(signature)
    found_after = min(limit for limit in (config.get("heartbeat_timeout"), config["start_to_close_timeout"]) if limit)
    assert found_after <= (HEARTBEAT_TIMEOUT if signature.waits else timedelta(seconds=10))
    retry = config["retry_policy"]
    assert retry is not None and retry.initial_interval <= timedelta(seconds=5) and retry.backoff_coefficient == 2


def test_two_heartbeats_can_be_lost_before_a_worker_counts_as_lost() -> None:
    assert ASKING_HEARTBEAT_TIMEOUT > 2 * HEARTBEAT_EVERY


def test_a_crowd_of_waits_beats_less_often_and_still_within_its_timeout() -> None:
    assert [pause_between_beats(waits) for waits in (1, 100)] == [HEARTBEAT_EVERY] * 2
    assert pause_between_beats(150) == timedelta(seconds=6)
    assert 2 * pause_between_beats(10_000) < HEARTBEAT_TIMEOUT


@EVERY
def test_releases_come_first_and_what_is_under_way_comes_before_purchases_and_beginnings(
    signature: Signature[Any, Any],
) -> None:
    first = {s.ENSURE_NODE_POOL: Order.PURCHASE, s.BUILD_PLAN: Order.BEGINNING, s.READ_OWNED_POOLS: Order.SWEEP}
    order = config_of(signature)["priority"].priority_key
    assert order == first.get(signature, order)
    assert (order == Order.RELEASE) == (signature.name.startswith("delete_") or signature in RELEASING)
    begun = config_of(signature, begun=True)["priority"].priority_key
    assert begun == (Order.UNDER_WAY if order == Order.BEGINNING else order)


def test_waits_take_no_place_of_a_release_or_of_a_quick_call() -> None:
    assert {one.queue for one in signatures.ALL if one.name.startswith("delete_") and one.waits} == {
        queues.RELEASES,
        queues.CLOUD,
    }
    assert not any(one.waits for one in signatures.ALL if one.queue == queues.WORKSPACES)
    assert queues.AT_ONCE.keys() == set(queues.ALL)


@EVERY
def test_what_changes_the_world_is_waited_for_when_it_is_cancelled(signature: Signature[Any, Any]) -> None:
    waited = config_of(signature)["cancellation_type"] is ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    assert waited == signature.effects


def test_a_deadline_of_the_plan_replaces_the_tables() -> None:
    config = config_of(signatures.WAIT_FOR_NODES, 60)
    assert config["schedule_to_close_timeout"] == timedelta(seconds=60) + AWAY_MAX
    assert config["start_to_close_timeout"] == timedelta(seconds=60) + AWAY_MAX
    asking = config_of(signatures.READ_MODEL_REVISION, 30)
    assert asking["start_to_close_timeout"] == timedelta(seconds=30)
