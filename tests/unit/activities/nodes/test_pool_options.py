"""What an installation wants of every pool reaches the body of the PUT, through the SDK's own models."""

import json
from typing import Any

import pytest
from azure.mgmt.containerservice.models import AgentPool
from pydantic import ValidationError
from temporalio.testing import ActivityEnvironment

from activities.nodes.aks.agent_pool_spec import pool_of, properties_of, repaired
from activities.nodes.aks.pool_options import AKS_DEFAULTS, PoolOptions, PoolSettings
from activities.nodes.aks.provider import AgentPools
from tests.builders import a_plan
from tests.fakes.agent_pools import FakeAgentPools

GROUP = "/subscriptions/s/resourceGroups/g/providers"
SUBNET = f"{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/nodes"
PODS = f"{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/pods"
RESERVATION = f"{GROUP}/Microsoft.Compute/capacityReservationGroups/gpus"
REACHED = [
    ("subnet_id", SUBNET, "vnetSubnetID", SUBNET),
    ("pod_subnet_id", PODS, "podSubnetID", PODS),
    ("capacity_reservation_group_id", RESERVATION, "capacityReservationGroupID", RESERVATION),
    ("os_disk_type", "Ephemeral", "osDiskType", "Ephemeral"),
    ("os_disk_gib", 2000, "osDiskSizeGB", 2000),
    ("encryption_at_host", True, "enableEncryptionAtHost", True),
    ("gpu_management", "Managed", "gpuProfile", {"nvidia": {"managementMode": "Managed"}}),
]


def body(pool: AgentPool) -> dict[str, Any]:
    """The properties as they are sent."""
    sent: dict[str, Any] = json.loads(json.dumps(pool.as_dict()))["properties"]
    return sent


@pytest.mark.parametrize(("option", "value", "name", "sent"), REACHED)
def test_each_option_reaches_the_request(option: str, value: object, name: str, sent: object) -> None:
    plan = a_plan()
    assert body(pool_of(plan, PoolOptions.model_validate({option: value})))[name] == sent
    assert body(pool_of(plan)).get(name) != sent


def test_no_option_is_untested() -> None:
    assert {option for option, *_ in REACHED} | {"tags"} == set(PoolOptions.model_fields)


@pytest.mark.parametrize(
    ("option", "value"), [*((option, value) for option, value, *_ in REACHED), ("tags", {"a": "b"})]
)
async def test_each_setting_of_the_worker_is_sent(option: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    monkeypatch.setenv(f"MODELYARD_AZURE_POOL_{option.upper()}", text)
    arm, plan = FakeAgentPools(), a_plan()
    await ActivityEnvironment().run(AgentPools(arm.azure, PoolSettings()).ensure_node_pool, plan)
    [pool] = arm.pools.values()
    wanted = body(pool_of(plan, PoolOptions.model_validate({option: value})))
    assert {name: body(pool)[name] for name in wanted} == wanted


def test_tags_stand_beside_ours_and_cannot_replace_them() -> None:
    tags = body(pool_of(a_plan(), PoolOptions(tags={"cost-center": "4711"})))["tags"]
    assert tags == {"cost-center": "4711"} | body(pool_of(a_plan()))["tags"]
    with pytest.raises(ValidationError, match="choose other names"):
        PoolOptions(tags={"Modelyard-UID": "somebody"})


def test_the_disk_is_as_large_as_the_plan_needs() -> None:
    needed = body(pool_of(a_plan()))["osDiskSizeGB"]
    assert body(pool_of(a_plan(), PoolOptions(os_disk_gib=30)))["osDiskSizeGB"] == max(needed, 30)


def test_spot_machines_are_taken_from_no_reservation() -> None:
    options = PoolOptions(capacity_reservation_group_id=RESERVATION)
    assert "capacityReservationGroupID" not in body(pool_of(a_plan(spot=True), options))


def test_a_pool_is_repaired_with_what_it_was_bought_with() -> None:
    before = PoolOptions.model_validate({option: value for option, value, *_ in REACHED})
    after = PoolOptions(os_disk_type="Managed", tags={"new": "tag"})
    kept, again = pool_of(a_plan(), before), body(repaired(pool_of(a_plan(), before), a_plan(), after))
    assert again == body(kept) | {"tags": body(kept)["tags"] | {"new": "tag"}}
    assert properties_of(kept).count == again["count"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("subnet_id", "nodes"), ("os_disk_gib", 29), ("os_disk_type", "Fast"), ("capacity_reservation_group_id", SUBNET)],
)
def test_what_arm_would_refuse_is_refused_at_the_start(option: str, value: object) -> None:
    with pytest.raises(ValidationError, match=option):
        PoolOptions.model_validate({option: value})


def test_aks_decides_what_nobody_wants() -> None:
    assert PoolSettings().model_dump() == AKS_DEFAULTS.model_dump()
