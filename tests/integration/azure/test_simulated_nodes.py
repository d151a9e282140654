"""Pools whose machines are Node objects in a real API server: they come with the pool and leave nothing behind."""

import time
from typing import Any

import pytest

from deploy.local.azure.control_client import ControlClient
from deploy.local.cluster import owner_client
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
SERVICE_ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
PODS = "/api/v1/namespaces/default/pods"
GPU_TAINT = {"key": "sku", "value": "gpu", "effect": "NoSchedule"}


@pytest.fixture(scope="module")
def cluster(shared_api_server: Layout) -> Layout:
    """With what a controller makes elsewhere: the default ServiceAccount, without which pods are refused."""
    if owner_client.read(shared_api_server, f"{SERVICE_ACCOUNTS}/default") is None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        owner_client.request(shared_api_server, "POST", SERVICE_ACCOUNTS, account, "application/json")
    return shared_api_server


@pytest.fixture
def arm(new_emulator: Any, cluster: Layout) -> Any:
    return new_emulator("--nodes", "simulated", "--kubeconfig", str(cluster.admin_kubeconfig))


def nodes(layout: Layout, pool: str) -> list[dict[str, Any]]:
    found = owner_client.read(layout, f"/api/v1/nodes?labelSelector=agentpool%3D{pool}")
    assert found is not None
    items: list[dict[str, Any]] = found["items"]
    return items


def a_plugin(node: str) -> dict[str, Any]:
    """A pod as the controller of DaemonSets makes it, of a device plugin."""
    pod = a_pod(f"plugin-{node}", node)
    pod["metadata"]["labels"] = {"controller-revision-hash": "1"}
    pod["spec"]["volumes"] = [{"name": "kubelet", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}]
    return pod


def gpus_of(layout: Layout, pool: str) -> list[str | None]:
    return [node["status"]["allocatable"].get("nvidia.com/gpu") for node in nodes(layout, pool)]


def until_gpus_are(layout: Layout, pool: str, expected: list[str | None]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while gpus_of(layout, pool) != expected:
        assert time.monotonic() < deadline, gpus_of(layout, pool)
        time.sleep(0.1)


def a_pod(name: str, node: str) -> dict[str, Any]:
    spec = {"nodeName": node, "containers": [{"name": "main", "image": "none"}], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def test_a_pools_nodes_join_ready_and_go_with_it(arm: Any, cluster: Layout, pools: Any) -> None:
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("ws1", count=2, nodeTaints=["sku=gpu:NoSchedule"], nodeLabels={"kaito.sh/workspace": "phi"})
        [first, second] = nodes(cluster, "ws1")
        assert first["spec"]["taints"] == [GPU_TAINT]
        assert first["spec"]["providerID"].endswith("/virtualMachines/0")
        assert second["metadata"]["labels"]["accelerator"] == "nvidia"
        assert {c["type"]: c["status"] for c in first["status"]["conditions"]}["Ready"] == "True"
        assert first["metadata"]["labels"]["kaito.sh/workspace"] == "phi"
        assert owner_client.read(cluster, f"{LEASES}/{first['metadata']['name']}") is not None
        await mine.delete("ws1")
    assert nodes(cluster, "ws1") == []
    assert owner_client.read(cluster, f"{LEASES}/{first['metadata']['name']}") is None


async def test_a_node_shows_gpus_only_while_a_device_plugins_pod_is_on_it(
    arm: Any, cluster: Layout, pools: Any
) -> None:
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("shown", count=2)
        names = [node["metadata"]["name"] for node in nodes(cluster, "shown")]
        assert gpus_of(cluster, "shown") == [None, None]
        owner_client.request(cluster, "POST", PODS, a_plugin(names[0]), "application/json")
        until_gpus_are(cluster, "shown", ["1", None])
        owner_client.request(cluster, "POST", PODS, a_plugin(names[1]), "application/json")
        until_gpus_are(cluster, "shown", ["1", "1"])
        arm.kill()
        owner_client.request(cluster, "DELETE", f"{PODS}/plugin-{names[0]}?gracePeriodSeconds=0")
        arm.start()
        until_gpus_are(cluster, "shown", [None, "1"])
        await mine.delete("shown")
    assert owner_client.read(cluster, f"{PODS}/plugin-{names[1]}") is None


async def test_scaling_down_removes_the_newest_nodes_and_the_pods_on_them(
    arm: Any, cluster: Layout, pools: Any
) -> None:
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("scaled", count=2)
        [kept, gone] = [node["metadata"]["name"] for node in nodes(cluster, "scaled")]
        for name, node in (("stays", kept), ("goes", gone)):
            owner_client.request(cluster, "POST", PODS, a_pod(name, node), "application/json")
        await mine.create("scaled", count=1)
        assert [node["metadata"]["name"] for node in nodes(cluster, "scaled")] == [kept]
        assert owner_client.read(cluster, f"{PODS}/goes") is None
        assert owner_client.read(cluster, f"{PODS}/stays") is not None
        await mine.delete("scaled")
    assert owner_client.read(cluster, f"{PODS}/stays") is None


async def test_flawed_machines_do_not_join_or_join_without_gpu(arm: Any, cluster: Layout, pools: Any) -> None:
    control = ControlClient(arm.address)
    control.add_fault("node-never-joins", nodes=1, times=1)
    control.add_fault("node-without-gpu", nodes=2, times=1)
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("flawed", count=3)
        for node in nodes(cluster, "flawed"):
            owner_client.request(cluster, "POST", PODS, a_plugin(node["metadata"]["name"]), "application/json")
        until_gpus_are(cluster, "flawed", ["1", None])
        await mine.delete("flawed")
    assert nodes(cluster, "flawed") == []


async def test_nodes_of_an_operation_that_failed_come_late_and_go_with_the_pool(
    arm: Any, cluster: Layout, pools: Any
) -> None:
    ControlClient(arm.address).add_fault("fails-late", seconds=5, times=1)
    async with arm.azure() as client:
        mine = type(pools)(client)
        poller = await mine.begin("late")
        with pytest.raises(Exception, match="VMExtensionProvisioningTimeout"):
            await poller.result()
        assert nodes(cluster, "late") == []
        deadline = time.monotonic() + PATIENCE_S
        while not nodes(cluster, "late"):
            assert time.monotonic() < deadline
        await mine.delete("late")
    assert nodes(cluster, "late") == []


async def test_a_restarted_emulator_adopts_its_nodes(arm: Any, cluster: Layout, pools: Any) -> None:
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("adopted", count=2)
        before = [node["metadata"]["uid"] for node in nodes(cluster, "adopted")]
        arm.kill()
        arm.start()
        assert [node["metadata"]["uid"] for node in nodes(cluster, "adopted")] == before
        # A stack that was down has lost its nodes; the pool still stands for them.
        arm.kill()
        owner_client.request(cluster, "DELETE", f"/api/v1/nodes/{nodes(cluster, 'adopted')[0]['metadata']['name']}")
        arm.start()
        deadline = time.monotonic() + PATIENCE_S
        while len(nodes(cluster, "adopted")) < 2:
            assert time.monotonic() < deadline
        await mine.delete("adopted")
    assert nodes(cluster, "adopted") == []


async def test_without_an_api_server_the_operation_fails_with_the_cause(
    new_emulator: Any, pools: Any, tmp_path: Any
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "x", '
        '"users": [{"name": "x", "user": {"token": "x"}}], '
        '"clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}], '
        '"contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}'
    )
    arm = new_emulator("--nodes", "simulated", "--kubeconfig", str(kubeconfig))
    ControlClient(arm.address).change_settings(machine_seconds=1)
    async with arm.azure() as client:
        poller = await type(pools)(client).begin("alone")
        with pytest.raises(Exception, match=r"VMExtensionProvisioningError.*127\.0\.0\.1"):
            await poller.result()
