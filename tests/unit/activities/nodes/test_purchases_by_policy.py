"""The cloud's worker buys by the operator's policy, whatever a plan says: before it asks ARM, and after."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from azure.mgmt.containerservice.models import AgentPool
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.azure import Azure
from activities.contract.plan import Plan
from activities.nodes.aks.agent_pool_spec import pool_of, properties_of
from activities.nodes.aks.pool_options import AKS_DEFAULTS
from activities.nodes.aks.provider import AgentPools
from api.policy.document import Policy
from api.policy.reading import parse_policy
from tests.builders import a_key, a_plan
from tests.fakes.agent_pools import FakeAgentPools

H100 = "Standard_NC40ads_H100_v5"
LIMITED = parse_policy(
    """
    contact: the platform team
    namespaces: [{namespaces: [small], rules: {machineTypes: ["Standard_NC*_A100_v4"], dollarsPerHour: 10}}]
    """
)


def plan_of(name: str, **changes: Any) -> Plan:
    return a_plan(a_key(f"uid-{name}", name, changes.pop("namespace", "small")), pool_name=name, **changes)


def a_pool(plan: Plan, state: str = "Succeeded") -> AgentPool:
    pool = pool_of(plan)
    properties_of(pool).provisioning_state = state
    pool.name = plan.pool_name
    return pool


def pools_in(azure: Azure, policy: Callable[[], Policy] = lambda: LIMITED) -> AgentPools:
    return AgentPools(azure, AKS_DEFAULTS, policy)


async def bought(pools: AgentPools, plan: Plan, *details: Any) -> str:
    """Returns the reason of the refusal; empty if it was bought."""
    environment = ActivityEnvironment()
    if details:
        environment.info = replace(environment.info, heartbeat_details=list(details))
    try:
        await environment.run(pools.ensure_node_pool, plan)
    except ApplicationError as error:
        return f"{error.type}: {error.message}"
    return ""


def in_arm(arm: FakeAgentPools) -> list[str]:
    return sorted(arm.pools)


async def test_a_plan_for_a_machine_that_is_not_allowed_buys_nothing() -> None:
    arm = FakeAgentPools()
    said = await bought(pools_in(arm.azure), plan_of("a", instance_type=H100))
    assert said.startswith("PolicyRefused") and "not Standard_NC40ads_H100_v5" in said
    assert said.endswith("Ask the platform team") and arm.sent == []


async def test_a_price_in_the_plan_is_not_believed() -> None:
    arm = FakeAgentPools()
    said = await bought(pools_in(arm.azure), plan_of("a", node_count=3, price_per_hour=0.01, max_price_per_hour=1e9))
    assert said.startswith("PolicyRefused") and arm.sent == []


async def test_a_third_node_is_refused_beside_two_that_arm_has() -> None:
    arm = FakeAgentPools(a_pool(plan_of("there", node_count=2)))
    said = await bought(pools_in(arm.azure), plan_of("a"))
    assert said.startswith("PolicyRefused") and "has $7.35 (2 x Standard_NC24ads_A100_v4)" in said
    assert arm.sent == []


async def test_another_namespace_and_other_peoples_pools_do_not_count() -> None:
    foreign = AgentPool({"name": "system", "properties": {"vmSize": "Standard_D4s_v5", "count": 30}})
    foreign.name = "system"
    arm = FakeAgentPools(a_pool(plan_of("there", node_count=2, namespace="others")), foreign)
    assert await bought(pools_in(arm.azure), plan_of("a")) == ""


async def test_a_spot_machine_counts_as_its_own_maximum() -> None:
    arm = FakeAgentPools(a_pool(plan_of("there", spot=True, spot_max_price=1.0, node_count=6)))
    assert await bought(pools_in(arm.azure), plan_of("a")) == ""
    arm = FakeAgentPools(a_pool(plan_of("there", spot=True, node_count=2)))
    assert (await bought(pools_in(arm.azure), plan_of("a"))).startswith("PolicyRefused")


async def test_what_is_being_released_is_waited_for() -> None:
    arm = FakeAgentPools(a_pool(plan_of("there", node_count=2), "Deleting"))
    said = await bought(pools_in(arm.azure), plan_of("a"))
    assert said.startswith("CloudBusy") and "2 are being released" in said and arm.sent == []


async def test_two_purchases_at_the_same_moment_do_not_pass_together() -> None:
    arm = FakeAgentPools()
    pools = pools_in(arm.azure)
    said = await asyncio.gather(*(bought(pools, plan_of(name, node_count=2)) for name in "abcd"))
    assert sum(not each for each in said) == 1
    assert len(in_arm(arm)) == 1 and len([sent for sent in arm.sent if sent.verb == "PUT"]) == 1


async def test_two_processes_that_buy_at_the_same_moment_keep_one_at_most() -> None:
    """Each process has looked before the other one has bought."""
    arm = FakeAgentPools()
    first, second = arm.azure, arm.azure
    for azure in (first, second):
        await azure.listings.cluster.get()
    said = await asyncio.gather(
        bought(pools_in(first), plan_of("a", node_count=2)), bought(pools_in(second), plan_of("b", node_count=2))
    )
    assert len(in_arm(arm)) <= 1 and any(said)
    assert "these nodes were released" in "".join(said)


async def test_a_purchase_whose_worker_was_lost_is_looked_at_by_the_next() -> None:
    plan, other = plan_of("b", node_count=2), plan_of("a", node_count=2)
    arm = FakeAgentPools(a_pool(plan), a_pool(other))
    said = await bought(pools_in(arm.azure), plan, "token", "2026-01-01T00:00:00+00:00")
    assert said.startswith("PolicyRefused") and in_arm(arm) == ["a"]


async def test_a_policy_that_was_edited_after_admission_holds() -> None:
    arm, holds = FakeAgentPools(), [Policy()]
    pools = pools_in(arm.azure, lambda: holds[-1])
    assert await bought(pools, plan_of("a", instance_type=H100)) == ""
    holds.append(LIMITED)
    assert (await bought(pools, plan_of("b", instance_type=H100))).startswith("PolicyRefused")
    assert in_arm(arm) == ["a"], "what runs stays"


async def test_a_repair_that_buys_nothing_is_never_refused() -> None:
    plan = plan_of("a", instance_type=H100, node_count=2)
    arm = FakeAgentPools(a_pool(plan))
    assert await bought(pools_in(arm.azure), plan.model_copy(update={"repair": True})) == ""
    assert [sent.verb for sent in arm.sent] == ["PUT"]


async def test_a_repair_is_no_way_to_more_nodes() -> None:
    arm = FakeAgentPools(a_pool(plan_of("a", node_count=2)))
    said = await bought(pools_in(arm.azure), plan_of("a", node_count=3))
    assert said.startswith("PolicyRefused") and arm.sent == []
    assert properties_of(arm.pools["a"]).count == 2


async def test_a_forged_namespace_reaches_its_own_limits_and_the_installations() -> None:
    arm = FakeAgentPools()
    pools = pools_in(arm.azure, Policy)
    said = [await bought(pools, plan_of(f"p{n}", namespace=f"forged-{n}", node_count=8)) for n in range(10)]
    assert [not each for each in said] == [True] * 4 + [False] * 6
    assert "all namespaces together may have 32 nodes" in said[-1]


@pytest.mark.parametrize("field", ["namespace", "name", "uid"])
async def test_a_purchase_without_an_owner_is_refused(field: str) -> None:
    plan, arm = plan_of("a"), FakeAgentPools()
    plan = plan.model_copy(update={"key": plan.key.model_copy(update={field: ""})})
    assert (await bought(pools_in(arm.azure), plan)).startswith("InvalidSpec") and arm.sent == []
