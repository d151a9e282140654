"""How few requests a purchase and a release cost, and that saving them takes over and deletes nobody's pool."""

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError
from azure.mgmt.containerservice.models import AgentPool
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.nodes.aks.agent_pool_spec import pool_of, properties_of
from activities.nodes.aks.provider import AgentPools
from tests.builders import a_key, a_plan
from tests.fakes.agent_pools import FakeAgentPools

PLAN = a_plan()
OTHERS = a_plan(a_key("somebody-else"), pool_name=PLAN.pool_name)
KEY = PoolKey(workspace=PLAN.key, pool_name=PLAN.pool_name)


def a_pool(state: str = "Succeeded", plan: Plan = PLAN) -> AgentPool:
    pool = pool_of(plan)
    properties_of(pool).provisioning_state = state
    pool.name = plan.pool_name
    return pool


async def bought_after_a_list(arm: FakeAgentPools, *since: AgentPool) -> PoolBought:
    """`since` are pools that came after the list."""
    azure = arm.azure
    await azure.listings.pools.get()
    arm.pools |= {str(pool.name): pool for pool in since}
    found: PoolBought = await ActivityEnvironment().run(AgentPools(azure).ensure_node_pool, PLAN)
    return found


async def test_a_pool_that_a_list_did_not_have_is_bought_without_another_look() -> None:
    arm = FakeAgentPools()
    found = await bought_after_a_list(arm)
    assert (found.pool_name, found.node_count, found.provisioning_state) == (PLAN.pool_name, 1, "Succeeded")
    assert [sent.options for sent in arm.sent] == [{"match_condition": MatchConditions.IfMissing}]
    assert (arm.listed, arm.read) == (2, []), "once more when ARM has accepted, for what others bought meanwhile"


async def test_a_pool_that_a_list_had_is_looked_at_first() -> None:
    arm = FakeAgentPools(a_pool())
    assert (await bought_after_a_list(arm)).instance_type == PLAN.instance_type
    assert (arm.sent, arm.read) == ([], [PLAN.pool_name])


async def test_a_pool_of_ours_that_came_after_the_list_is_continued_with() -> None:
    arm = FakeAgentPools()
    assert (await bought_after_a_list(arm, a_pool())).provisioning_state == "Succeeded"
    assert (arm.sent, arm.read) == ([], [PLAN.pool_name])


async def test_a_pool_of_somebody_else_that_came_after_the_list_is_left_alone() -> None:
    arm = FakeAgentPools()
    with pytest.raises(ApplicationError) as error:
        await bought_after_a_list(arm, a_pool(plan=OTHERS))
    assert error.value.type == "OwnershipConflict"
    assert arm.sent == [] and properties_of(arm.pools[PLAN.pool_name]).tags == properties_of(pool_of(OTHERS)).tags


async def test_an_arm_that_is_busy_is_reported_as_such() -> None:
    arm = FakeAgentPools()
    arm.busy = True
    with pytest.raises(ResourceExistsError, match="busy"):
        await bought_after_a_list(arm)
    assert arm.read == [PLAN.pool_name]


async def test_a_release_looks_whose_it_is_and_proves_that_it_is_gone() -> None:
    arm = FakeAgentPools(a_pool())
    found: Released = await ActivityEnvironment().run(AgentPools(arm.azure).delete_node_pool, KEY)
    assert found.existed and arm.read == [PLAN.pool_name] * 2
    assert [sent.verb for sent in arm.sent] == ["DELETE"]
