"""Own nodes that several Workspaces share, with Kubernetes' own scheduler: pods start where their GPUs are counted."""

import asyncio
import os
from typing import Any, Final

from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.plan import Deadlines, Plan
from activities.contract.serving import WorkloadRequest
from activities.nodes.byo.provider import OwnNodes
from activities.planning.options import plan_option
from activities.serving.workloads import Workloads
from api import labels
from presets.machines.gpu_labels import read_gpus
from presets.machines.machine import Machine
from presets.plan.context import PlanContext
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, PINNED
from tests.integration.controllers.namespaces import Namespace
from tests.integration.nodes.attempts import Attempt

SLICE: Final = "nvidia.com/mig-2g.24gb"
MIXED: Final = {
    "nvidia.com/gpu.product": "NVIDIA-H100-NVL",
    "nvidia.com/gpu.count": "2",
    "nvidia.com/gpu.memory": "95830",
    "nvidia.com/gpu.compute.major": "9",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/mig.strategy": "mixed",
    "nvidia.com/mig-2g.24gb.product": "NVIDIA-H100-NVL-MIG-2g.24gb",
    "nvidia.com/mig-2g.24gb.count": "2",
    "nvidia.com/mig-2g.24gb.memory": "22000",
}
"""As NVIDIA's feature discovery labels a node with MIG's mixed strategy."""


async def a_node(admin: Cluster, offers: dict[str, str], node_labels: dict[str, str]) -> dict[str, str]:
    """Returns the labels that select it."""
    name = f"own-{os.urandom(4).hex()}"
    match = {"apps": name}
    amounts = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "900Gi", "pods": "20"} | offers
    await admin.create("Node", {"metadata": {"name": name, "labels": match | node_labels}, "spec": {}})
    status = {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
    }
    await admin.merge("Node", name, None, {"status": status}, subresource="status")
    return match


async def placed(worker: Cluster, plan: Plan) -> None:
    view = ClusterView(worker)
    await asyncio.wait_for(Attempt(OwnNodes(view).ensure_node_pool, plan).task, PATIENCE_S)
    pinned = PINNED if plan.kind == "preset" else None
    request = WorkloadRequest(plan=plan, pinned=pinned)
    await asyncio.wait_for(Attempt(Workloads(view, IMAGES).ensure_workload, request).task, PATIENCE_S)


async def nodes_of_pods(admin: Cluster, namespace: str, count: int) -> list[str]:
    """Of all pods of the namespace, once as many are scheduled."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            pods, _ = await admin.list_all("Pod", namespace)
            found = [node for pod in pods if (node := pod["spec"].get("nodeName"))]
            await asyncio.sleep(0.2)
    return found


def planned(document: Object, machine: Machine | None = None) -> Plan:
    context = PlanContext(provider="byo", machine=machine)
    return plan_option(document, context, Deadlines(provision=60)).plan.model_copy(update={"digest": "digest-1"})


async def documents(namespace: Namespace, match: dict[str, str], count: int, **sections: Any) -> list[Object]:
    resource = {"resource": {"labelSelector": {"matchLabels": match}} | sections.pop("resource", {})}
    keys = [await namespace.workspace(**resource, **sections) for _ in range(count)]
    found = [await namespace.admin.get("Workspace", key.name, key.namespace) for key in keys]
    return [one for one in found if one is not None]


async def test_two_workspaces_get_a_slice_each_of_a_node_with_mixed_mig(
    admin: Cluster, worker: Cluster, namespace: Namespace
) -> None:
    match = await a_node(admin, {SLICE: "2"}, MIXED)
    machine = Machine.of_node(read_gpus(MIXED, mig_profile="2g.24gb"))
    partition = {"partition": {"mode": "mig", "profile": "2g.24gb"}}
    preset = {"preset": {"name": "phi-4-mini-instruct"}}
    for document in await documents(namespace, match, 2, resource=partition, inference=preset):
        plan = planned(document, machine)
        assert (plan.gpus_per_node, plan.gpu_resource) == (1, SLICE)
        await placed(worker, plan)
    assert await nodes_of_pods(admin, namespace.name, 2) == [match["apps"]] * 2


def serving(**resources: str) -> Object:
    server = {"name": "llm", "image": "registry.example.com/llm:1", "ports": [{"containerPort": 8000}]}
    return {"template": {"spec": {"containers": [server | {"resources": {"limits": resources}}]}}}


async def test_templates_share_a_node_by_the_gpus_that_they_ask_for(
    admin: Cluster, worker: Cluster, namespace: Namespace
) -> None:
    match = await a_node(admin, {labels.GPU_RESOURCE: "2"}, {})
    for document in await documents(namespace, match, 2, inference=serving(**{labels.GPU_RESOURCE: "1"})):
        await placed(worker, planned(document))
    assert await nodes_of_pods(admin, namespace.name, 2) == [match["apps"]] * 2
    node = await admin.get("Node", match["apps"])
    assert node is not None
    reserved = [
        value for key, value in node["metadata"]["labels"].items() if key.startswith(f"{labels.GPU_RESERVATIONS}/")
    ]
    assert reserved == ["1", "1"]


async def test_a_template_without_gpus_runs_on_a_node_without_any(
    admin: Cluster, worker: Cluster, namespace: Namespace
) -> None:
    match = await a_node(admin, {}, {})
    [document] = await documents(namespace, match, 1, inference=serving(cpu="1"))
    await placed(worker, planned(document))
    assert await nodes_of_pods(admin, namespace.name, 1) == [match["apps"]]
