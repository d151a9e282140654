"""The `aks` provider against the ARM emulator: it buys spot and zones as planned, and replaces lost machines."""

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from temporalio.testing import ActivityEnvironment

from activities.clients import azure as azure_client
from activities.contract.nodes import PoolBought
from activities.contract.plan import Plan
from activities.nodes.aks.provider import AgentPools
from activities.preflight.azure import PreflightChecks
from testing.deadlines import PATIENCE_S
from tests.builders import a_plan

A100_FAMILY = "StandardNCADSA100v4Family"


def two_machines(pool: str, **more: Any) -> Plan:
    return a_plan(pool_name=pool, node_count=2, vcpus_per_node=24, vcpu_family=A100_FAMILY, **more)


async def bought(azure: azure_client.Azure, plan: Plan) -> PoolBought:
    found: PoolBought = await ActivityEnvironment().run(AgentPools(azure).ensure_node_pool, plan)
    return found


async def test_a_spot_pool_is_bought_in_its_zone_with_its_price(azure: Any, pools: Any) -> None:
    plan = two_machines("spotzone", spot=True, zones=("2",), spot_max_price=1.25)
    await bought(azure, plan)
    pool = (await pools.get("spotzone")).properties
    assert (pool.scale_set_priority, pool.scale_set_eviction_policy, pool.spot_max_price) == ("Spot", "Delete", 1.25)
    assert pool.availability_zones == ["2"]
    assert "kubernetes.azure.com/scalesetpriority=spot:NoSchedule" in pool.node_taints


async def test_preempted_machines_return_only_on_request(azure: Any, pools: Any, control: Any) -> None:
    plan = two_machines("spotback", spot=True)
    await bought(azure, plan)
    control.add_fault("spot-eviction", pool="spotback", seconds=0, times=1)
    async with asyncio.timeout(PATIENCE_S):
        while control.state()["pools"]["spotback"]["nodes"]:
            await asyncio.sleep(0.1)
    await bought(azure, plan)
    assert control.state()["pools"]["spotback"]["nodes"] == [], "ARM calls such a pool Succeeded, so it looks bought"
    await bought(azure, plan.model_copy(update={"repair": True}))
    assert len(control.state()["pools"]["spotback"]["nodes"]) == 2


async def test_a_pool_keeps_its_highest_price_for_life(pools: Any) -> None:
    await pools.create("spotprice", scaleSetPriority="Spot", spotMaxPrice=1.5)
    with pytest.raises(HttpResponseError, match="spotMaxPrice"):
        await pools.create("spotprice", scaleSetPriority="Spot", spotMaxPrice=2.5)


async def test_spot_is_checked_against_its_own_quota(azure: Any, control: Any) -> None:
    control.change_settings(family_limits={A100_FAMILY: 0}, low_priority_limit=1000)
    spot, demand = two_machines("nobody", spot=True, zones=("1",)), two_machines("nobody", zones=("9",))
    checks = {check.name: check.outcome for check in (await PreflightChecks(azure).read_preflight(spot)).checks}
    assert checks == {"SkuOffered": "passed", "VcpuQuota": "passed", "PoolLimit": "passed"}
    found = {check.name: check for check in (await PreflightChecks(azure).read_preflight(demand)).checks}
    assert "not offered in zone 9" in found["SkuOffered"].message
    assert found["VcpuQuota"].reason == "QuotaExceeded" and "need 48 vCPUs" in found["VcpuQuota"].message


async def test_azure_that_does_not_answer_warns_and_stops_nothing(azure: Any, control: Any) -> None:
    control.add_fault("server-error", method="GET", route="usages")
    control.add_fault("server-error", method="GET", route="agentPool")
    checks = {
        check.name: check for check in (await PreflightChecks(azure).read_preflight(two_machines("nobody"))).checks
    }
    assert checks["VcpuQuota"].outcome == "unknown" and checks["SkuOffered"].outcome == "passed"
