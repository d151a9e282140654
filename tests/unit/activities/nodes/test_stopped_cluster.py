"""Nothing is written to a cluster that takes no changes, and what it waits for is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.mgmt.containerservice.models import AgentPool, PowerState
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contract.nodes import PoolKey
from activities.contract.plan import Plan
from activities.contract.sweep import SweepScope
from activities.nodes.aks.agent_pool_spec import pool_of, properties_of
from activities.nodes.aks.cluster_state import LONGEST_PAUSE, SHORTEST_PAUSE
from activities.nodes.aks.provider import AgentPools
from tests.builders import a_plan
from tests.fakes.agent_pools import FakeAgentPools

PLAN = a_plan()
KEY = PoolKey(workspace=PLAN.key, pool_name=PLAN.pool_name)
NO_CHANGES = pytest.mark.parametrize(
    ("power", "state", "reason", "words"),
    [
        ("Stopped", "Succeeded", "ClusterStopped", "is stopped"),
        ("Running", "Stopping", "ClusterStopped", "is being stopped"),
        ("Running", "Starting", "ClusterStopped", "is being started"),
        ("Running", "Upgrading", "ClusterUpgrading", "is being upgraded"),
    ],
    ids=lambda value: str(value),
)


def a_pool(state: str = "Succeeded", power: str = "Running") -> AgentPool:
    pool = pool_of(PLAN)
    properties_of(pool).provisioning_state = state
    properties_of(pool).power_state = PowerState(code=power)
    pool.name = PLAN.pool_name
    return pool


def arm_in(power: str, state: str, *pools: AgentPool) -> FakeAgentPools:
    arm = FakeAgentPools(*pools)
    arm.power, arm.state = power, state
    return arm


async def refused_purchase(arm: FakeAgentPools, plan: Plan) -> ApplicationError:
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(AgentPools(arm.azure).ensure_node_pool, plan)
    return error.value


@NO_CHANGES
async def test_a_purchase_is_refused_at_once_and_says_why(power: str, state: str, reason: str, words: str) -> None:
    arm = arm_in(power, state)
    error = await refused_purchase(arm, PLAN)
    assert (error.type, error.non_retryable, arm.sent) == (reason, True, [])
    assert f"The AKS cluster cluster {words}" in error.message


@NO_CHANGES
@pytest.mark.parametrize(
    ("there", "plan"),
    [
        pytest.param(a_pool(), PLAN.model_copy(update={"repair": True}), id="nodes were lost"),
        pytest.param(a_pool("Failed"), PLAN, id="the last operation failed"),
    ],
)
async def test_a_pool_is_not_put_again(
    power: str, state: str, reason: str, words: str, there: AgentPool, plan: Plan
) -> None:
    arm = arm_in("Running", "Succeeded", there)
    azure = arm.azure
    await azure.listings.recent_cluster()  # what was asked a moment ago is not believed
    arm.power, arm.state = power, state
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(AgentPools(azure).ensure_node_pool, plan)
    assert (error.value.type, arm.sent) == (reason, [])


@NO_CHANGES
async def test_a_pool_is_not_deleted(power: str, state: str, reason: str, words: str) -> None:
    arm = arm_in(power, state, a_pool(power=power))
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(AgentPools(arm.azure).delete_node_pool, KEY)
    assert (error.value.type, error.value.non_retryable, arm.sent) == (reason, True, [])


async def test_a_release_does_not_believe_an_older_answer_if_its_pool_is_stopped() -> None:
    arm = FakeAgentPools(a_pool(power="Stopped"))
    azure = arm.azure
    await azure.listings.recent_cluster()
    arm.power = "Stopped"
    with pytest.raises(ApplicationError, match="is stopped"):
        await ActivityEnvironment().run(AgentPools(azure).delete_node_pool, KEY)
    assert arm.sent == []


async def test_a_release_of_what_is_gone_needs_no_running_cluster() -> None:
    arm = arm_in("Stopped", "Succeeded")
    found = await ActivityEnvironment().run(AgentPools(arm.azure).delete_node_pool, KEY)
    assert not found.existed and arm.sent == []


@pytest.mark.parametrize("state", ["Succeeded", "Failed", "Canceled", "Updating"])
async def test_any_other_state_is_left_to_arm(state: str) -> None:
    arm = arm_in("Running", state)
    await ActivityEnvironment().run(AgentPools(arm.azure).ensure_node_pool, PLAN)
    assert [sent.verb for sent in arm.sent] == ["PUT"]


@NO_CHANGES
@pytest.mark.parametrize(
    ("waited", "pause"),
    [(timedelta(), SHORTEST_PAUSE), (timedelta(minutes=8), timedelta(minutes=2)), (timedelta(days=2), LONGEST_PAUSE)],
)
async def test_who_waits_for_the_cluster_looks_less_and_less_often(
    power: str, state: str, reason: str, words: str, waited: timedelta, pause: timedelta
) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, scheduled_time=datetime.now(UTC) - waited)
    with pytest.raises(ApplicationError) as error:
        pools = AgentPools(arm_in(power, state).azure)
        await environment.run(pools.read_owned_pools, SweepScope(when_changeable=True))
    assert (error.value.type, error.value.non_retryable) == (reason, False)
    assert error.value.next_retry_delay is not None
    assert abs(error.value.next_retry_delay - pause) < timedelta(seconds=5)


async def test_who_waits_is_let_on_when_the_cluster_runs_and_a_sweep_never_waits() -> None:
    running, stopped = AgentPools(FakeAgentPools(a_pool()).azure), AgentPools(arm_in("Stopped", "Succeeded").azure)
    found = await ActivityEnvironment().run(running.read_owned_pools, SweepScope(when_changeable=True))
    assert [thing.name for thing in found.things] == [PLAN.pool_name]
    assert (await ActivityEnvironment().run(stopped.read_owned_pools, SweepScope())).things == []
