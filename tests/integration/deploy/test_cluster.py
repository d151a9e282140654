"""The real cluster of a local stack: control plane, two nodes, their network; and that nothing of it is left over."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.cluster import control_plane, kubeconfigs, owner_client
from deploy.local.host import cgroups, daemons, probes
from deploy.local.images import pause
from deploy.local.images.contents import DEVICE_PLUGIN
from deploy.local.images.images import ensure_images, reference
from deploy.local.kubernetes import binaries
from deploy.local.layout import Layout
from deploy.local.network import bridge
from deploy.local.network.nodes import NodeSpec
from deploy.local.nodes import gpu_plugin, node, objects
from deploy.local.nodes.plugin.service import VARIABLE
from deploy.local.services import registry
from testing.deadlines import PATIENCE_S
from testing.machine_snapshot import Snapshot, snapshot

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="kubelets need root"),
]

GPU_NODE = NodeSpec(
    "gpu-0",
    labels={"agentpool": "ws0", "accelerator": "nvidia", "node.kubernetes.io/instance-type": "Standard_NC6s_v3"},
    taints=["sku=gpu:NoSchedule"],
    gpus=2,
    provider_id="azure:///subscriptions/0/virtualMachines/0",
    cpu=1,
    memory_mib=2000,
)
PLAIN_NODE = NodeSpec("plain-0")
SERVE = "mkdir -p /www; hostname > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as environment:
        path = tmp_path_factory.mktemp("home")
        environment.setenv("MODELYARD_HOME", str(path))
        yield path


@pytest.fixture(scope="module")
def layout(home: Path) -> Layout:
    return Layout.of("cluster")


@pytest.fixture(scope="module")
def before(layout: Layout) -> Snapshot:
    return snapshot(layout)


@pytest.fixture(scope="module")
def cluster(layout: Layout, before: Snapshot) -> Iterator[Layout]:
    if binaries.find_binaries(layout) is None:
        pytest.fail("there are no Kubernetes programs yet: run `modelyard local up` once, which gets them")
    try:
        bridge.ensure_network(layout)
        daemons.start(layout, registry.registry_daemon(layout))
        pause.push_pause_image(layout)
        with ThreadPoolExecutor(3) as pool:
            parts = [pool.submit(control_plane.start_control_plane, layout)]
            parts += [pool.submit(node.start_node, layout, spec) for spec in (GPU_NODE, PLAIN_NODE)]
            for part in parts:
                part.result()
        yield layout
    finally:
        take_down(layout)


@pytest.fixture(scope="module")
def pods(cluster: Layout) -> dict[str, str]:
    """A web server on each node, behind the Service "web": pod addresses by name of the node."""
    service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    create(cluster, "services", {"kind": "Service", "metadata": {"name": "web"}, "spec": service})
    for name in (GPU_NODE.name, PLAIN_NODE.name):
        create(cluster, "pods", a_pod(cluster, f"web-{name}", name))
    return {name: running_pod(cluster, f"web-{name}")["status"]["podIP"] for name in (GPU_NODE.name, PLAIN_NODE.name)}


def test_nodes_show_what_they_were_started_with(cluster: Layout) -> None:
    found = owner_client.request(cluster, "GET", f"/api/v1/nodes/{GPU_NODE.name}")
    assert GPU_NODE.labels.items() <= found["metadata"]["labels"].items()
    assert found["spec"]["providerID"] == GPU_NODE.provider_id
    assert found["spec"]["taints"] == [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
    assert found["status"]["allocatable"]["cpu"] == "1"
    assert found["status"]["allocatable"]["memory"] == "2000Mi"


def test_a_node_offers_gpus_to_pods_only_while_a_device_plugin_runs_on_it(cluster: Layout) -> None:
    assert gpus(cluster) == 0
    ensure_images(cluster, (DEVICE_PLUGIN,), lambda words: None)
    gpu_plugin.ensure_gpu_plugin(cluster, reference(cluster, DEVICE_PLUGIN))
    wait_for(lambda: gpus(cluster) == GPU_NODE.gpus, PATIENCE_S)
    pod = a_pod(cluster, "with-gpu", GPU_NODE.name, f"echo ${VARIABLE}; sleep 600")
    amount = {"nvidia.com/gpu": "1"}
    pod["spec"]["containers"][0]["resources"] = {"requests": amount, "limits": amount}
    create(cluster, "pods", pod)
    running_pod(cluster, "with-gpu")
    assert kubectl(cluster, "logs", "with-gpu").strip() in ("gpu-0", "gpu-1")
    kubectl(cluster, "delete", "pod", "with-gpu")
    kubectl(cluster, "-n", gpu_plugin.NAMESPACE, "delete", "daemonset", gpu_plugin.NAME)
    wait_for(lambda: gpus(cluster) == 0, PATIENCE_S)
    gpu_plugin.ensure_gpu_plugin(cluster, reference(cluster, DEVICE_PLUGIN))
    wait_for(lambda: gpus(cluster) == GPU_NODE.gpus, PATIENCE_S)


def test_a_pod_reaches_a_pod_on_the_other_node(cluster: Layout, pods: dict[str, str]) -> None:
    assert fetched(cluster, f"web-{GPU_NODE.name}", pods[PLAIN_NODE.name], 8080) == f"web-{PLAIN_NODE.name}"
    assert fetched(cluster, f"web-{PLAIN_NODE.name}", pods[GPU_NODE.name], 8080) == f"web-{GPU_NODE.name}"


def test_a_service_address_leads_to_every_pod_from_pods_and_from_the_machine(
    cluster: Layout, pods: dict[str, str]
) -> None:
    address = owner_client.request(cluster, "GET", "/api/v1/namespaces/default/services/web")["spec"]["clusterIP"]
    everyone = {f"web-{name}" for name in pods}

    def reaches_everyone(pod: str) -> bool:
        return seen_within(20, lambda: fetched(cluster, pod, address, 80)) == everyone

    for pod in everyone:
        wait_for(partial(reaches_everyone, pod), 10)
    wait_for(lambda: seen_within(20, lambda: fetched_here(f"http://{address}/")) == everyone, 10)


def test_a_kubelet_that_was_started_again_offers_its_gpus_again(cluster: Layout) -> None:
    daemons.stop(cluster, f"kubelet-{GPU_NODE.name}")
    node.start_node(cluster, GPU_NODE)
    # A new kubelet offers none until the plugin has registered with it.
    wait_for(lambda: registrations(cluster) >= 2 and gpus(cluster) == GPU_NODE.gpus, PATIENCE_S)


def test_pods_reach_the_services_of_the_machine_and_the_api_server(cluster: Layout, pods: dict[str, str]) -> None:
    pod = f"web-{GPU_NODE.name}"
    assert fetched(cluster, pod, cluster.address, cluster.ports.registry, "/v2/") == "{}"
    assert "HTTPS server" in fetched(cluster, pod, str(cluster.service_range[1]), 443)


def test_no_packet_of_a_pod_leaves_the_stack(cluster: Layout, pods: dict[str, str]) -> None:
    # TEST-NET-3 (RFC 5737): if this were routed out, the answer would be a timeout, not a refusal.
    outcome = in_pod(cluster, f"web-{PLAIN_NODE.name}", "nc -w 5 203.0.113.1 80 </dev/null 2>&1 || true")
    assert "unreachable" in outcome


def test_kubectl_shows_a_pods_log(cluster: Layout, pods: dict[str, str]) -> None:
    assert kubectl(cluster, "logs", f"web-{GPU_NODE.name}") == "serving\n"


def test_a_claim_gets_a_volume_below_this_stacks_own_folder(cluster: Layout) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    create(
        cluster,
        "persistentvolumeclaims",
        {"kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec},
    )
    pod = a_pod(cluster, "writer", PLAIN_NODE.name, command="echo kept > /data/file; sleep 600")
    # The scheduler waits for the volume; for a pod bound by hand the kubelet would, ten seconds at a time.
    pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": pod["spec"].pop("nodeName")}
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    create(cluster, "pods", pod)
    running_pod(cluster, "writer")
    wait_for(lambda: [file.read_text() for file in cluster.state.glob("volumes/*/file")] == ["kept\n"], 10)


def test_a_minted_identity_may_do_what_rbac_says_and_no_more(cluster: Layout) -> None:
    nobody = kubeconfigs.mint_kubeconfig(cluster, "modelyard:nobody")
    refused = subprocess.run(
        [kubectl_program(), "--kubeconfig", str(nobody), "get", "nodes"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert refused.returncode == 1
    assert 'User "modelyard:nobody" cannot list resource "nodes"' in refused.stderr


def test_starting_what_runs_changes_nothing(cluster: Layout) -> None:
    running = daemons.running(cluster)
    control_plane.start_control_plane(cluster)
    node.start_node(cluster, GPU_NODE)
    assert daemons.running(cluster) == running


def test_a_kubelet_that_was_killed_is_started_again_and_its_pods_live_on(cluster: Layout, pods: dict[str, str]) -> None:
    before = running_pod(cluster, f"web-{GPU_NODE.name}")["status"]["containerStatuses"]
    daemons.stop(cluster, f"kubelet-{GPU_NODE.name}", deadline_s=0)
    node.start_node(cluster, GPU_NODE)
    assert running_pod(cluster, f"web-{GPU_NODE.name}")["status"]["containerStatuses"] == before
    # A kubelet that has just begun says that the pod does not exist until it has heard of it.
    wait_for(lambda: takes_commands(cluster, f"web-{GPU_NODE.name}"), 60)


def test_a_gateway_that_was_lost_is_replaced_with_its_routes_and_services(
    cluster: Layout, pods: dict[str, str]
) -> None:
    daemons.stop(cluster, "namespaces-gateway", deadline_s=0)
    control_plane.start_control_plane(cluster)
    assert fetched(cluster, f"web-{GPU_NODE.name}", pods[PLAIN_NODE.name], 8080) == f"web-{PLAIN_NODE.name}"
    address = owner_client.request(cluster, "GET", "/api/v1/namespaces/default/services/web")["spec"]["clusterIP"]
    # kube-proxy says that it is healthy a moment before it has written its rules.
    wait_for(lambda: probes.answers(f"http://{address}/"), 10)


def test_a_cut_node_is_lost_and_a_healed_one_comes_back(cluster: Layout) -> None:
    node.cut_node(cluster, PLAIN_NODE.name)
    wait_for(lambda: not is_ready(cluster, PLAIN_NODE.name), 60)
    node.heal_node(cluster, PLAIN_NODE.name)
    wait_for(lambda: is_ready(cluster, PLAIN_NODE.name), 30)


def test_a_stopped_node_leaves_nothing_and_the_other_one_alone(cluster: Layout, pods: dict[str, str]) -> None:
    node.stop_node(cluster, PLAIN_NODE.name)
    left = snapshot(cluster)
    assert node.list_nodes(cluster) == [GPU_NODE.name]
    assert not (cluster.nodes / PLAIN_NODE.name).exists()
    assert [path for path in cgroups.groups(f"modelyard-{cluster.instance}-{PLAIN_NODE.name}")] == []
    assert not [route for route in left.routes if pods[PLAIN_NODE.name].rsplit(".", 1)[0] in route]
    assert not [name for name in daemons.running(cluster) if name.endswith(PLAIN_NODE.name)]
    assert fetched_here(f"http://{pods[GPU_NODE.name]}:8080/") == f"web-{GPU_NODE.name}"
    node.stop_node(cluster, PLAIN_NODE.name)


def test_taking_everything_down_leaves_the_machine_as_it_was(cluster: Layout, before: Snapshot) -> None:
    take_down(cluster)
    assert daemons.running(cluster) == {}
    assert snapshot(cluster) == before


def take_down(layout: Layout) -> None:
    for name in node.list_nodes(layout):
        node.stop_node(layout, name)
    control_plane.stop_control_plane(layout)
    daemons.stop(layout, registry.NAME)
    bridge.tear_down_network(layout)


def a_pod(layout: Layout, name: str, on: str, command: str = SERVE) -> dict[str, Any]:
    image = f"{layout.registry}/modelyard/pause:dev"
    container = {"name": "web", "image": image, "command": ["sh", "-c", command]}
    spec = {"nodeName": on, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {"kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}


def create(layout: Layout, kind: str, manifest: dict[str, Any]) -> None:
    body = {"apiVersion": "v1", **manifest}
    owner_client.request(layout, "POST", f"/api/v1/namespaces/default/{kind}", body, "application/json")


def running_pod(layout: Layout, name: str) -> dict[str, Any]:
    path = f"/api/v1/namespaces/default/pods/{name}"

    def is_running() -> bool:
        statuses = owner_client.request(layout, "GET", path)["status"].get("containerStatuses", [])
        return bool(statuses) and all(each["ready"] for each in statuses)

    wait_for(is_running, PATIENCE_S)
    return owner_client.request(layout, "GET", path)


def gpus(layout: Layout) -> int:
    return objects.allocatable_gpus(owner_client.request(layout, "GET", f"/api/v1/nodes/{GPU_NODE.name}"))


def registrations(layout: Layout) -> int:
    """How often the plugin has told a kubelet of itself; 0 while a kubelet that has just begun knows no pod."""
    argv = [kubectl_program(), "--kubeconfig", str(layout.admin_kubeconfig), "-n", gpu_plugin.NAMESPACE]
    log = subprocess.run([*argv, "logs", f"daemonset/{gpu_plugin.NAME}"], capture_output=True, text=True, timeout=60)
    return log.stdout.count("registered")


def is_ready(layout: Layout, name: str) -> bool:
    return objects.is_ready(owner_client.request(layout, "GET", f"/api/v1/nodes/{name}"))


def fetched(layout: Layout, pod: str, host: str, port: int, path: str = "/") -> str:
    return in_pod(layout, pod, f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {host} {port} | tail -n 1").strip()


def fetched_here(url: str) -> str:
    return httpx.get(url, timeout=5, trust_env=False).raise_for_status().text.strip()


def seen_within(tries: int, ask: Callable[[], str]) -> set[str]:
    seen: set[str] = set()
    for _ in range(tries):
        seen.add(ask())
        if len(seen) == 2:
            break
    return seen


def takes_commands(layout: Layout, pod: str) -> bool:
    argv = [kubectl_program(), "--kubeconfig", str(layout.admin_kubeconfig), "exec", pod, "--", "sh", "-c", ":"]
    return subprocess.run(argv, capture_output=True, timeout=60).returncode == 0


def in_pod(layout: Layout, pod: str, script: str) -> str:
    return kubectl(layout, "exec", pod, "--", "sh", "-c", script)


def kubectl(layout: Layout, *arguments: str) -> str:
    argv = [kubectl_program(), "--kubeconfig", str(layout.admin_kubeconfig), *arguments]
    answer = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def kubectl_program() -> str:
    return str(Path(sys.executable).with_name("kubectl"))


def wait_for(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not so after {seconds:g} s"
        time.sleep(0.3)
