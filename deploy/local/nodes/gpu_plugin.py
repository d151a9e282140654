"""The stand-in for a GPU's device plugin in the cluster: a namespace and a DaemonSet, as AKS documents NVIDIA's.

`plugin/` is what its pods run. Without the DaemonSet no node of a local stack offers GPUs, whatever its machine has.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.cluster.kubectl import kubectl_argv
from deploy.local.host.commands import run_logged
from deploy.local.layout import Layout
from deploy.local.nodes.plugin.folder import FOLDER, GPUS

NAMESPACE: Final = "gpu-resources"
NAME: Final = "nvidia-device-plugin"
APPLY_S: Final = 60.0
_LABELS: Final = {"app.kubernetes.io/name": NAME}
_TOLERATIONS: Final = (
    {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
    {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot", "effect": "NoSchedule"},
)


def manifests(image: str, only_on: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Returns the Namespace and the DaemonSet. `only_on`: labels that its nodes have beside AKS's for GPU machines."""
    return [_namespace(), _daemon_set(image, {"accelerator": "nvidia"} | dict(only_on or {}))]


def ensure_gpu_plugin(
    layout: Layout, image: str, *, kubeconfig: Path | None = None, only_on: Mapping[str, str] | None = None
) -> None:
    """Applies both, in the stack's own cluster or in another one. Raises CommandFailed."""
    file = layout.state / "gpu-plugin.json"
    items = manifests(image, only_on)
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
    argv = kubectl_argv(kubeconfig or layout.admin_kubeconfig, "apply", "-f", str(file))
    run_logged(argv, layout.logs / "gpu-plugin.log", deadline_s=APPLY_S)


def write_gpus(kubelet: Path, count: int) -> None:
    """Gives a machine GPUs: the files that stand for its driver, below the kubelet's folder `kubelet`."""
    folder = kubelet / FOLDER.name / GPUS
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"gpu-{number}").touch()


def _namespace() -> dict[str, Any]:
    # A folder of the node's is mounted, which `baseline` and `restricted` forbid.
    enforced = {"pod-security.kubernetes.io/enforce": "privileged"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": enforced}}


def _daemon_set(image: str, selector: dict[str, str]) -> dict[str, Any]:
    container = {
        "name": "device-plugin",
        "image": image,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "kubelet", "mountPath": str(FOLDER)}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "nodeSelector": selector,
        "tolerations": list(_TOLERATIONS),
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "kubelet", "hostPath": {"path": str(FOLDER)}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }
