"""How the machines of a pool present themselves as nodes."""

from typing import Any

from deploy.local.azure.identity import Identity
from deploy.local.azure.nodes.machines import machine
from deploy.local.azure.nodes.simulated import node_object
from deploy.local.azure.records import Pool

SCALE_SET = "aks-ws1-12345678-vmss"


def a_pool(**properties: Any) -> Pool:
    asked = {"vmSize": "Standard_NC48ads_A100_v4", "count": 2, "mode": "User", "osSKU": "Ubuntu"} | properties
    pool = Pool(name="ws1", properties=asked, provisioning_state="Succeeded", etag="e", birth="b", scale_set=SCALE_SET)
    pool.resize()
    return pool


def test_names_follow_the_scale_set_and_are_never_given_out_twice() -> None:
    pool = a_pool()
    assert pool.nodes == [f"{SCALE_SET}000000", f"{SCALE_SET}000001"]
    pool.properties["count"] = 1
    pool.resize()
    pool.properties["count"] = 2
    pool.resize()
    assert pool.nodes == [f"{SCALE_SET}000000", f"{SCALE_SET}000002"]


def test_a_node_carries_what_aks_gives_it_and_what_the_pool_asked_for() -> None:
    pool = a_pool(
        nodeLabels={"kaito.sh/workspace": "phi"}, nodeTaints=["sku=gpu:NoSchedule"], availabilityZones=["2", "3"]
    )
    made = machine(pool, pool.nodes[1], Identity())
    assert made.labels["agentpool"] == made.labels["kubernetes.azure.com/agentpool"] == "ws1"
    assert made.labels["node.kubernetes.io/instance-type"] == "Standard_NC48ads_A100_v4"
    assert (made.labels["accelerator"], made.labels["kaito.sh/workspace"]) == ("nvidia", "phi")
    assert made.labels["topology.kubernetes.io/zone"] == "eastus-3"
    assert (made.gpus, made.taints) == (2, ("sku=gpu:NoSchedule",))
    assert made.provider_id == (
        "azure:///subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mc_modelyard_local_eastus"
        f"/providers/Microsoft.Compute/virtualMachineScaleSets/{SCALE_SET}/virtualMachines/1"
    )


def test_a_machine_without_working_driver_offers_no_gpu() -> None:
    pool = a_pool()
    node = node_object(machine(pool, pool.nodes[0], Identity(), gpus=0))
    assert node["metadata"]["annotations"] == {"local.modelyard.dev/gpus": "0"}


def test_a_simulated_node_is_ready_and_offers_no_gpus_before_a_device_plugin_does() -> None:
    pool = a_pool(nodeTaints=["sku=gpu:NoSchedule", "dedicated:NoExecute"])
    node = node_object(machine(pool, pool.nodes[0], Identity()))
    assert "nvidia.com/gpu" not in node["status"]["allocatable"]
    assert node["metadata"]["annotations"] == {"local.modelyard.dev/gpus": "2"}
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
    assert node["spec"]["taints"] == [
        {"key": "sku", "value": "gpu", "effect": "NoSchedule"},
        {"key": "dedicated", "effect": "NoExecute"},
    ]
