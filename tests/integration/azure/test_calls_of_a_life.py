"""What the life of a Workspace costs in requests to ARM: preflight, purchase until ready, release until NotFound."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients import azure as azure_client
from activities.clients.azure import AzureSettings
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.nodes.aks.provider import AgentPools
from activities.preflight.azure import PreflightChecks
from api.policy.reading import parse_policy
from deploy.local.azure.control_client import ControlClient
from testing.deadlines import PATIENCE_S
from tests.builders import a_key, a_plan

CALLS_A_LIFE = 10
CALLS_OF_THE_FIRST = 12
"""It asks for the sizes too, once an hour and process, and nobody knows yet how long operations last."""
TIMES = {"create_seconds": 3, "delete_seconds": 2, "retry_after_seconds": 1}
"""The defaults, and those of the measurements beside KAITO."""

AMOUNTS = "{nodes: 100, dollarsPerHour: 10000}"
FOR_A_CROWD = parse_policy(f"{{installation: {AMOUNTS}, defaults: {AMOUNTS}}}")
"""With limits, so that what they cost in calls is counted."""


class Life:
    """One process' clients and activities."""

    def __init__(self, azure: azure_client.Azure) -> None:
        self.checks, self.pools = PreflightChecks(azure), AgentPools(azure, policy=lambda: FOR_A_CROWD)

    async def bought(self, plan: Plan, *beats: Any) -> PoolBought:
        assert {check.outcome for check in (await self.checks.read_preflight(plan)).checks} == {"passed"}
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, heartbeat_details=list(beats))
        found: PoolBought = await environment.run(self.pools.ensure_node_pool, plan)
        return found

    async def released(self, plan: Plan) -> Released:
        key = PoolKey(workspace=plan.key, pool_name=plan.pool_name)
        found: Released = await ActivityEnvironment().run(self.pools.delete_node_pool, key)
        return found

    async def whole(self, plan: Plan) -> None:
        assert (await self.bought(plan)).provisioning_state == "Succeeded"
        assert (await self.released(plan)).existed


def plan_of(name: str) -> Plan:
    return a_plan(a_key(name), pool_name=name, vcpus_per_node=24, vcpu_family="StandardNCADSA100v4Family")


@pytest.fixture
def arm(control: ControlClient) -> ControlClient:
    control.change_settings(**TIMES)
    control.reset_calls()
    return control


@pytest.fixture
async def new_life(azure_settings: AzureSettings) -> AsyncIterator[Callable[[], Any]]:
    """Makes what a worker process has; a second one knows nothing of the first."""
    async with AsyncExitStack() as stack:

        async def make() -> Life:
            return Life(await azure_client.connect(azure_settings, stack))

        yield make


async def calls_of(arm: ControlClient) -> Counter[str]:
    calls = Counter(await asyncio.to_thread(arm.calls))
    await asyncio.to_thread(arm.reset_calls)
    return calls


async def test_a_life_costs_few_calls_from_the_first_on(arm: ControlClient, new_life: Any) -> None:
    """A machine that does much else may keep operations beyond their time: one of three processes has to do."""
    for name in ("a", "b", "c"):
        life = await new_life()
        await life.whole(plan_of(f"first{name}"))
        first = await calls_of(arm)
        await life.whole(plan_of(f"second{name}"))
        second = await calls_of(arm)
        assert (first["GET skus"], second["GET skus"]) == (1, 0)
        for calls in (first, second):
            assert calls["PUT agentPool"] == calls["DELETE agentPool"] == 1
            assert calls["GET agentPool"] == 3, "whether it is bought already, whose it is, that it is gone"
            assert calls["GET operationResult"] == 0
        if first.total() <= CALLS_OF_THE_FIRST and second.total() <= CALLS_A_LIFE:
            return
    raise AssertionError(f"a process' first life: {first}, its second: {second}")


async def test_a_crowd_shares_what_is_listed_for_all(arm: ControlClient, new_life: Any) -> None:
    life, size = await new_life(), 20
    await asyncio.gather(*(life.whole(plan_of(f"crowd{number}")) for number in range(size)))
    calls = await calls_of(arm)
    assert calls["PUT agentPool"] == calls["DELETE agentPool"] == size
    assert calls["GET agentPool"] == 3 * size
    assert calls["GET skus"] == 1
    assert calls["GET usages"] < size / 2 and calls["GET managedCluster"] < size / 2, calls


async def test_a_worker_that_is_lost_costs_no_second_purchase(arm: ControlClient, new_life: Any) -> None:
    plan, beats = plan_of("lost"), []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    lost = asyncio.create_task(environment.run((await new_life()).pools.ensure_node_pool, plan))
    async with asyncio.timeout(PATIENCE_S):
        while not any(beats):
            await asyncio.sleep(0.01)
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    [*_, (token, accepted_at)] = [details for details in beats if details]
    found = await (await new_life()).bought(plan, token, accepted_at)
    assert found.accepted_at is not None and found.accepted_at.isoformat() == accepted_at
    assert (await calls_of(arm))["PUT agentPool"] == 1


async def test_an_operation_that_fails_is_told_in_arms_words(arm: ControlClient, new_life: Any) -> None:
    await asyncio.to_thread(arm.add_fault, "allocation-failed", pool="noroom", times=1)
    with pytest.raises(Exception, match="AllocationFailed") as error:
        await (await new_life()).bought(plan_of("noroom"))
    assert error.value.status_code == 200  # type: ignore[attr-defined]  # the request was accepted
