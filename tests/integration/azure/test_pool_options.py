"""What an installation wants of its pools, against the ARM emulator: it arrives, and repairs do not stumble over it."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from temporalio.testing import ActivityEnvironment

from activities.clients import azure as azure_client
from activities.nodes.aks.pool_options import PoolOptions
from activities.nodes.aks.provider import AgentPools
from tests.builders import a_plan

GROUP = "/subscriptions/s/resourceGroups/g/providers"
SUBNET = f"{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/nodes"
BEFORE = PoolOptions(
    subnet_id=SUBNET, os_disk_type="Ephemeral", encryption_at_host=True, gpu_management="Managed", tags={"team": "a"}
)
AFTER = PoolOptions(os_disk_type="Managed", tags={"team": "b"})


async def test_a_pool_is_bought_as_wanted_and_repaired_after_the_installation_wants_something_else(
    azure: azure_client.Azure, pools: Any
) -> None:
    plan = a_plan(pool_name="wanted")
    await ActivityEnvironment().run(AgentPools(azure, BEFORE).ensure_node_pool, plan)
    bought = (await pools.get("wanted")).properties
    assert (bought.vnet_subnet_id, bought.os_disk_type, bought.enable_encryption_at_host) == (SUBNET, "Ephemeral", True)
    assert bought.gpu_profile.nvidia.management_mode == "Managed"
    await ActivityEnvironment().run(AgentPools(azure, AFTER).ensure_node_pool, plan.model_copy(update={"repair": True}))
    kept = (await pools.get("wanted")).properties
    assert (kept.vnet_subnet_id, kept.os_disk_type, kept.tags["team"]) == (SUBNET, "Ephemeral", "b")


async def test_nobody_changes_them_later(pools: Any) -> None:
    await pools.create("settled", osDiskType="Ephemeral")
    with pytest.raises(HttpResponseError, match="osDiskType"):
        await pools.create("settled", osDiskType="Managed")
    with pytest.raises(HttpResponseError, match="vnetSubnetID"):
        await pools.create("settled", vnetSubnetID=SUBNET)
