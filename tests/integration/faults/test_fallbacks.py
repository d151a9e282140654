"""When the nodes that a user wants most cannot be had or are taken back: the next way is tried, and told of."""

import asyncio
from typing import Any

from activities.clients.kubernetes import Object
from api import labels, names
from testing.leftovers import pools, purchases
from testing.stack import Stack
from testing.workspaces import INSTANCE_TYPE, Workspaces, condition, is_failed, is_ready, status_of, workspace
from workflows.steps.fallbacks import EVICTIONS_MAX

H100 = "Standard_NC40ads_H100_v5"
FAMILY = "StandardNCADSA100v4Family"


def asking(name: str, **annotations: str) -> Object:
    body = workspace(name)
    keys = {
        "machines": labels.INSTANCE_TYPE_FALLBACKS,
        "capacity": labels.CAPACITY_TYPES,
        "zones": labels.ZONES,
        "limit": labels.MAX_PRICE_PER_HOUR,
    }
    body["metadata"]["annotations"] = {keys[key]: value for key, value in annotations.items()}
    return body


def properties(stack: Stack, uid: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.arm.state()["pools"][names.pool_name(uid)]["properties"]
    return found


async def test_spot_machines_that_are_taken_back_are_bought_again_and_then_on_demand(
    stack: Stack, workspaces: Workspaces
) -> None:
    [uid] = (await workspaces.create(asking("spot", capacity="spot,on-demand", limit="5"))).values()
    await workspaces.until_ready("spot")
    bought = await asyncio.to_thread(properties, stack, uid)
    assert (bought["scaleSetPriority"], bought["scaleSetEvictionPolicy"], bought["spotMaxPrice"]) == (
        "Spot", "Delete", 5.0,
    )  # fmt: skip
    pool = names.pool_name(uid)
    for times in range(1, EVICTIONS_MAX + 1):
        await _evict(stack, workspaces, pool)
        await workspaces.until_ready("spot")
        assert await asyncio.to_thread(purchases, stack, pool) == 1 + times
        assert (await workspaces.progress("spot")).resources.evictions == {f"{INSTANCE_TYPE} as spot": times}
    stack.arm.change_settings(family_limits={FAMILY: 24})
    await _evict(stack, workspaces, pool)
    found = (await workspaces.until_ready("spot"))["spot"]
    assert "scaleSetPriority" not in await asyncio.to_thread(properties, stack, uid)
    assert status_of(found)["plan"]["capacityType"] == "on-demand"


async def test_a_machine_without_quota_is_skipped_and_one_that_is_not_sold_is_left(
    stack: Stack, workspaces: Workspaces
) -> None:
    stack.arm.change_settings(family_limits={FAMILY: 0})
    body = asking("second", machines=H100, zones="2,any")
    [uid] = (await workspaces.create(body)).values()
    # ARM's listing offers the machine in the zone, and the purchase is refused all the same, once.
    stack.arm.add_fault("sku-not-available", pool=names.pool_name(uid), times=1)
    found = (await workspaces.until_ready("second"))["second"]
    told = status_of(found)["plan"]["tried"]
    assert [line.split(": ")[:2] for line in told] == [
        [f"{INSTANCE_TYPE} in zone 2", "QuotaExceeded"],
        [INSTANCE_TYPE, "QuotaExceeded"],
        [f"{H100} in zone 2", "SkuNotAvailable"],
    ]
    bought = await asyncio.to_thread(properties, stack, uid)
    assert bought["vmSize"] == H100 and not bought.get("availabilityZones")
    nodes, _ = await workspaces.cluster.list_all("Node", selector=f"{labels.WORKSPACE_UID}={uid}")
    assert [node["metadata"]["labels"][labels.INSTANCE_TYPE] for node in nodes] == [H100]
    assert condition(found, "PreflightPassed")["status"] == "True"


async def test_when_nothing_can_be_had_every_reason_is_told_and_nothing_is_bought(
    stack: Stack, workspaces: Workspaces
) -> None:
    stack.arm.change_settings(family_limits={FAMILY: 0}, low_priority_limit=0)
    await workspaces.create(asking("never", machines=H100, capacity="spot,on-demand", limit="0.5"))
    found = (await workspaces.until(["never"], is_failed))["never"]
    status = status_of(found)
    assert status["reason"] == "QuotaExceeded"
    assert "none of 4 purchase options" in status["message"]
    assert "PriceAboveLimit" in status["message"] and "lowPriorityCores" in status["message"]
    assert condition(found, "PreflightPassed")["status"] == "False"
    assert pools(stack) == []


async def _evict(stack: Stack, workspaces: Workspaces, pool: str) -> None:
    """Azure takes every machine of the pool back; returns when the Workspace has noticed."""
    stack.arm.add_fault("spot-eviction", pool=pool, seconds=0, times=1)
    await workspaces.until(["spot"], lambda found: not is_ready(found))
