"""What Compute tells before anything is bought: sizes on offer and quota, and that pools count against it."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

A100_FAMILY = "StandardNCADSA100v4Family"


async def usages(emulator: Any) -> dict[str, tuple[int, int]]:
    async with emulator.compute() as compute:
        return {usage.name.value: (usage.current_value, usage.limit) async for usage in compute.usage.list("eastus")}


async def offers(emulator: Any) -> dict[str, Any]:
    async with emulator.compute() as compute:
        return {sku.name: sku async for sku in compute.resource_skus.list(filter="location eq 'eastus'")}


async def test_a_size_is_listed_with_what_it_has(emulator: Any) -> None:
    sku = (await offers(emulator))["Standard_NC24ads_A100_v4"]
    facts = {capability.name: capability.value for capability in sku.capabilities}
    assert (facts["vCPUs"], facts["GPUs"], facts["MemoryGB"]) == ("24", "1", "220")
    assert (sku.family, sku.resource_type, sku.restrictions) == (A100_FAMILY, "virtualMachines", [])
    assert [(info.location, info.zones) for info in sku.location_info] == [("eastus", ["1", "2", "3"])]


async def test_other_regions_offer_nothing(emulator: Any) -> None:
    async with emulator.compute() as compute:
        assert [sku async for sku in compute.resource_skus.list(filter="location eq 'westeurope'")] == []


async def test_a_size_that_is_not_sold_is_restricted_in_the_listing_and_refused(
    emulator: Any, pools: Any, control: Any
) -> None:
    control.add_fault("sku-not-available", variant="listed")
    [restriction] = (await offers(emulator))["Standard_NC24ads_A100_v4"].restrictions
    assert (restriction.type, restriction.reason_code) == ("Location", "NotAvailableForSubscription")
    assert restriction.restriction_info.locations == ["eastus"]
    with pytest.raises(HttpResponseError):
        await pools.begin("unsold")


async def test_pools_count_against_the_quota_of_their_family_and_region(emulator: Any, pools: Any) -> None:
    before = await usages(emulator)
    await pools.create("counted", count=2)
    after = await usages(emulator)
    assert after[A100_FAMILY][0] - before[A100_FAMILY][0] == 48
    assert after["cores"][0] - before["cores"][0] == 48
    await pools.delete("counted")
    assert await usages(emulator) == before


async def test_spot_pools_count_against_the_low_priority_quota(emulator: Any, pools: Any) -> None:
    before = await usages(emulator)
    await pools.create("spotcount", scaleSetPriority="Spot")
    after = await usages(emulator)
    assert after["lowPriorityCores"][0] - before["lowPriorityCores"][0] == 24
    assert after[A100_FAMILY] == before[A100_FAMILY]


async def test_a_pool_that_does_not_fit_the_quota_is_refused_with_the_numbers(
    emulator: Any, pools: Any, control: Any, error_of: Any
) -> None:
    used = (await usages(emulator))[A100_FAMILY][0]
    control.change_settings(family_limits={A100_FAMILY.upper(): used + 24})
    assert (await usages(emulator))[A100_FAMILY][1] == used + 24
    with pytest.raises(HttpResponseError, match=f"requested 48, remaining 24 for family {A100_FAMILY}") as refused:
        await pools.begin("nofit", count=2)
    assert error_of(refused.value) == "ErrCode_InsufficientVCPUQuota"
    await pools.create("nofit", count=1)
    with pytest.raises(HttpResponseError, match="requested 48, remaining 24"):
        await pools.begin("nofit", count=2)
