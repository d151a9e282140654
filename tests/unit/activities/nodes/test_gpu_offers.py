"""Whether a cluster would offer GPUs on nodes that are bought: by the manifests of NVIDIA, of AKS and of others."""

from typing import Any

import pytest

from activities.contract.plan import Check
from activities.nodes.gpus.offers import GpuOffering, verdict
from activities.nodes.gpus.plugins import kept_plugin
from tests.builders import a_plan

SOCKETS = "/var/lib/kubelet/device-plugins"
FOR_GPU = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
FOR_SPOT = {
    "key": "kubernetes.azure.com/scalesetpriority",
    "operator": "Equal",
    "value": "spot",
    "effect": "NoSchedule",
}
FOR_NVIDIA = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def a_daemon_set(
    name: str = "nvidia-device-plugin-daemonset",
    image: str = "mcr.microsoft.com/oss/v2/nvidia/k8s-device-plugin:v0.18.2",
    *,
    path: str = SOCKETS,
    tolerations: list[dict[str, str]] | None = None,
    **pod: Any,
) -> dict[str, Any]:
    container = {"name": "main", "image": image} | pod.pop("container", {})
    spec = {
        "tolerations": [FOR_GPU] if tolerations is None else tolerations,
        "containers": [container],
        "volumes": [{"name": "any", "emptyDir": {}}, {"name": "plugins", "hostPath": {"path": path}}],
    }
    metadata = {"name": name, "namespace": "gpu-resources", "uid": "1", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"template": {"spec": spec | pod}}}


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [{"matchExpressions": [term]} for term in terms]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def judged(*items: dict[str, Any], policies: tuple[dict[str, Any], ...] = (), **plan: Any) -> Check:
    plugins = [kept for item in items if (kept := kept_plugin(item)) is not None]
    assert [kept_plugin(kept) for kept in plugins] == plugins  # as every view asks of what it keeps
    return verdict(a_plan(**plan), plugins, policies)


@pytest.mark.parametrize(
    "daemon_set",
    [
        pytest.param(a_daemon_set(), id="as AKS documents it"),
        pytest.param(a_daemon_set(path=f"{SOCKETS}/"), id="with a slash"),
        pytest.param(a_daemon_set(path="/var/lib/k0s/kubelet/device-plugins"), id="of a kubelet elsewhere"),
        pytest.param(a_daemon_set(path="/var/lib/kubelet"), id="the kubelet's whole folder"),
        pytest.param(a_daemon_set("plugin", "mirror.example:5000/nvidia/k8s-device-plugin"), id="mirrored"),
        pytest.param(
            a_daemon_set("plugin", "intel.example/nvidia/k8s-device-plugin"), id="a registry's name is no word"
        ),
        pytest.param(
            a_daemon_set("plugin", "team/plugin", container={"args": ["--resource-name=nvidia.com/gpu"]}),
            id="by argument",
        ),
        pytest.param(a_daemon_set(tolerations=[{"operator": "Exists"}]), id="tolerates everything"),
        pytest.param(a_daemon_set(tolerations=[{"key": "sku", "operator": "Exists"}]), id="tolerates the key"),
        pytest.param(a_daemon_set(nodeSelector={"accelerator": "nvidia"}), id="AKS's label"),
        pytest.param(a_daemon_set(nodeSelector={"nvidia.com/gpu.deploy.device-plugin": "true"}), id="operator's label"),
        pytest.param(
            a_daemon_set(
                affinity=affinity(
                    {"key": "agentpool", "operator": "In", "values": ["other"]},
                    {"key": "feature.node.kubernetes.io/pci-10de.present", "operator": "In", "values": ["true"]},
                )
            ),
            id="one of two terms",
        ),
        pytest.param(
            a_daemon_set(
                affinity=affinity(
                    {"key": "kubernetes.azure.com/scalesetpriority", "operator": "NotIn", "values": ["spot"]}
                )
            ),
            id="not on spot",
        ),
    ],
)
def test_a_plugin_that_may_run_on_our_nodes_offers_their_gpus(daemon_set: dict[str, Any]) -> None:
    assert judged(daemon_set).outcome == "passed", judged(daemon_set).message


@pytest.mark.parametrize(
    ("daemon_set", "words"),
    [
        pytest.param(a_daemon_set(tolerations=[]), "does not tolerate sku=gpu:NoSchedule", id="no toleration"),
        pytest.param(a_daemon_set(tolerations=[FOR_NVIDIA]), "does not tolerate sku=gpu", id="the GPU operator's own"),
        pytest.param(
            a_daemon_set(tolerations=[FOR_GPU | {"value": "cpu"}]), "does not tolerate sku=gpu", id="another value"
        ),
        pytest.param(
            a_daemon_set(tolerations=[FOR_GPU | {"effect": "NoExecute"}]), "does not tolerate", id="another effect"
        ),
        pytest.param(
            a_daemon_set(nodeSelector={"agentpool": "gpupool"}),
            "is for nodes with the label agentpool=gpupool",
            id="a pool",
        ),
        pytest.param(a_daemon_set(nodeSelector={"team": "a"}), "is for nodes with the label team=a", id="an own label"),
        pytest.param(
            a_daemon_set(affinity=affinity({"key": "accelerator", "operator": "DoesNotExist"})),
            "is for nodes without the label accelerator",
            id="no GPU nodes",
        ),
        pytest.param(
            a_daemon_set(
                affinity=affinity(
                    {"key": "kubernetes.azure.com/scalesetpriority", "operator": "In", "values": ["spot"]}
                )
            ),
            "scalesetpriority=spot",
            id="spot only",
        ),
        pytest.param(a_daemon_set("amdgpu-device-plugin", "rocm/k8s-device-plugin"), "there is none", id="AMD's"),
        pytest.param(a_daemon_set("intel-gpu-plugin", "intel/intel-gpu-plugin"), "there is none", id="Intel's"),
        pytest.param(a_daemon_set("rdma", "mellanox/k8s-rdma-shared-dev-plugin"), "there is none", id="another device"),
        pytest.param(
            a_daemon_set("nvidia-dcgm-exporter", path="/var/lib/kubelet/pod-resources"), "there is none", id="dcgm"
        ),
        pytest.param(
            a_daemon_set("nvidia-dra-driver-gpu-kubelet-plugin", path="/var/lib/kubelet/plugins"),
            "there is none",
            id="DRA",
        ),
        pytest.param(
            a_daemon_set("nvidia-sandbox-device-plugin-daemonset"), "there is none", id="for virtual machines"
        ),
    ],
)
def test_a_cluster_without_a_plugin_for_our_nodes_says_so_and_what_mends_it(
    daemon_set: dict[str, Any], words: str
) -> None:
    check = judged(daemon_set)
    assert (check.outcome, check.reason) == ("unknown", "GpusNotOffered")
    assert words in check.message
    assert "devicePlugin.enabled" in check.message and "sku=gpu:NoSchedule" in check.message


def test_without_any_plugin_the_fix_is_named() -> None:
    check = judged()
    assert check.reason == "GpusNotOffered" and "there is none. Set devicePlugin.enabled" in check.message


def test_spot_machines_need_a_plugin_that_tolerates_their_taint_too() -> None:
    check = judged(a_daemon_set(), spot=True)
    assert "does not tolerate kubernetes.azure.com/scalesetpriority=spot:NoSchedule" in check.message
    assert judged(a_daemon_set(tolerations=[FOR_GPU, FOR_SPOT]), spot=True).outcome == "passed"
    assert judged(a_daemon_set(), spot=True, provider="karpenter").outcome == "passed"


def test_a_label_that_the_plan_gives_its_nodes_is_known() -> None:
    chosen = a_daemon_set(nodeSelector={"apps": "llm"})
    assert judged(chosen, node_labels={"apps": "llm"}).outcome == "passed"
    assert judged(chosen, node_labels={"apps": "other"}).outcome == "unknown"


def a_policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "cluster-policy"}, "spec": spec}


def test_the_gpu_operator_makes_its_plugin_when_the_first_node_is_there() -> None:
    tolerant = a_policy(daemonsets={"tolerations": [FOR_NVIDIA, FOR_GPU]}, devicePlugin={"enabled": True})
    assert judged(policies=(tolerant,)).message == "by ClusterPolicy cluster-policy"
    default = judged(policies=(a_policy(daemonsets={"tolerations": [FOR_NVIDIA]}),))
    assert "ClusterPolicy cluster-policy does not tolerate sku=gpu:NoSchedule" in default.message
    off = judged(policies=(a_policy(daemonsets={"tolerations": [FOR_GPU]}, devicePlugin={"enabled": False}),))
    assert off.reason == "GpusNotOffered" and "there is none" in off.message


def test_an_installation_may_say_that_no_daemon_set_is_needed() -> None:
    assert "Managed" in GpuOffering(managed=True).without_plugin("aks")
    assert GpuOffering(managed=True).without_plugin("karpenter") == ""
    assert "other" in GpuOffering("other").without_plugin("karpenter")
    assert GpuOffering().without_plugin("aks") == ""
