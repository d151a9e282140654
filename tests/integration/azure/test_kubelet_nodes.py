"""Pools whose machines are real kubelets: what joins the cluster, how it is emptied, and that nothing is left."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.azure.control_client import ControlClient
from deploy.local.cluster import control_plane, owner_client
from deploy.local.host import daemons
from deploy.local.images import pause
from deploy.local.images.contents import DEVICE_PLUGIN
from deploy.local.images.images import ensure_images, reference
from deploy.local.kubernetes import binaries
from deploy.local.layout import Layout
from deploy.local.network import bridge
from deploy.local.nodes import gpu_plugin, node, objects
from deploy.local.services import registry
from testing.deadlines import PATIENCE_S

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="kubelets need root"),
]

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as environment:
        path = tmp_path_factory.mktemp("home")
        environment.setenv("MODELYARD_HOME", str(path))
        yield path


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Layout]:
    """A control plane without nodes, a device plugin for those that come, and the image that pods of this test run."""
    layout = Layout.of("arm")
    if binaries.find_binaries(layout) is None:
        pytest.fail("there are no Kubernetes programs yet: run `modelyard local up` once, which gets them")
    try:
        bridge.ensure_network(layout)
        daemons.start(layout, registry.registry_daemon(layout))
        pause.push_pause_image(layout)
        control_plane.start_control_plane(layout)
        ensure_images(layout, (DEVICE_PLUGIN,), lambda words: None)
        gpu_plugin.ensure_gpu_plugin(layout, reference(layout, DEVICE_PLUGIN))
        yield layout
    finally:
        for name in node.list_nodes(layout):
            node.stop_node(layout, name)
        control_plane.stop_control_plane(layout)
        daemons.stop(layout, registry.NAME)
        bridge.tear_down_network(layout)


@pytest.fixture
def arm(new_emulator: Any, cluster: Layout, home: Path) -> Any:
    return new_emulator("--nodes", "kubelet", home=home, instance="arm", with_nodes=True)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def nodes_of(cluster: Layout) -> list[dict[str, Any]]:
    """Those with a kubelet behind them."""
    items = owner_client.request(cluster, "GET", "/api/v1/nodes")["items"]
    return [item for item in items if item["metadata"]["name"] != bridge.GATEWAY]


def a_pod(layout: Layout, name: str, on: str, command: str) -> dict[str, Any]:
    container = {"name": "main", "image": f"{layout.registry}/modelyard/pause:dev", "command": ["sh", "-c", command]}
    spec = {"nodeName": on, "containers": [container], "terminationGracePeriodSeconds": 5}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def is_running(layout: Layout, pod: str) -> bool:
    return bool((owner_client.read(layout, f"{PODS}/{pod}") or {})["status"]["phase"] == "Running")


def plugin_runs(layout: Layout, on: str) -> bool:
    pods = owner_client.request(layout, "GET", f"/api/v1/namespaces/{gpu_plugin.NAMESPACE}/pods")["items"]
    return any(pod["spec"].get("nodeName") == on and pod["status"]["phase"] == "Running" for pod in pods)


async def test_a_pool_is_a_kubelet_that_joins_survives_a_restart_is_drained_and_goes(
    arm: Any, cluster: Layout, pools: Any
) -> None:
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("ws1", nodeTaints=["sku=gpu:NoSchedule"], nodeLabels={"kaito.sh/workspace": "phi"})
        [joined] = nodes_of(cluster)
        name, labels = joined["metadata"]["name"], joined["metadata"]["labels"]
        assert node.list_nodes(cluster) == [name]
        assert (labels["agentpool"], labels["kaito.sh/workspace"], labels["accelerator"]) == ("ws1", "phi", "nvidia")
        assert labels["node.kubernetes.io/instance-type"] == "Standard_NC24ads_A100_v4"
        assert joined["spec"]["providerID"].endswith("/virtualMachines/0")
        assert joined["spec"]["taints"] == [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
        until(lambda: objects.allocatable_gpus(nodes_of(cluster)[0]) == 1)

        arm.kill()
        arm.start()
        assert (await mine.get("ws1")).provisioning_state == "Succeeded"
        [adopted] = nodes_of(cluster)
        assert adopted["metadata"]["uid"] == joined["metadata"]["uid"]

        command = "trap 'exit 0' TERM; while true; do sleep 0.2; done"
        owner_client.request(cluster, "POST", PODS, a_pod(cluster, "polite", name, command), "application/json")
        until(lambda: is_running(cluster, "polite"))
        await mine.delete("ws1")
        assert owner_client.read(cluster, f"{PODS}/polite") is None
    assert node.list_nodes(cluster) == []
    assert nodes_of(cluster) == []


async def test_a_pod_that_a_budget_holds_goes_with_its_node_after_the_deadline(
    arm: Any, cluster: Layout, pools: Any
) -> None:
    ControlClient(arm.address).change_settings(drain_seconds=2)
    ControlClient(arm.address).add_fault("node-without-gpu", times=1)
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("ws2")
        [joined] = nodes_of(cluster)
        until(lambda: plugin_runs(cluster, joined["metadata"]["name"]))
        assert "nvidia.com/gpu" not in nodes_of(cluster)[0]["status"]["allocatable"]
        pod = a_pod(cluster, "held", joined["metadata"]["name"], "sleep 1000")
        owner_client.request(cluster, "POST", PODS, pod, "application/json")
        until(lambda: is_running(cluster, "held"))
        budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "held"}}}
        version = "v1beta1" if owner_client.read(cluster, "/apis/policy/v1") is None else "v1"
        owner_client.request(
            cluster,
            "POST",
            f"/apis/policy/{version}/namespaces/default/poddisruptionbudgets",
            {"kind": "PodDisruptionBudget", "metadata": {"name": "held"}, "spec": budget},
            "application/json",
        )
        begun = time.monotonic()
        await mine.delete("ws2")
        assert time.monotonic() - begun >= 2
    assert owner_client.read(cluster, f"{PODS}/held") is None
    assert node.list_nodes(cluster) == []
