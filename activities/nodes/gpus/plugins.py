"""Recognises what offers NVIDIA GPUs in a cluster: DaemonSets of a device plugin, and the GPU operator. Pure.

A device plugin registers with the kubelet through a socket in one folder of the node's (Kubernetes, "Device Plugins"),
so its pod mounts that folder; whose devices it offers is in no field, so names, images, arguments and variables of the
DaemonSet must say NVIDIA's word. The GPU operator makes its DaemonSets only once a node with a GPU is there: until then
its ClusterPolicy says how they will be. A plugin that is part of the nodes' image is not seen here: an installation
says so (`offers.py`). Dynamic resource allocation offers no `nvidia.com/gpu`, which is what Modelyard's pods ask for.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from activities.clients.kubernetes import Object
from activities.clients.view.watched import Watched

_SOCKETS: Final = ("kubelet/device-plugins", "/var/lib/kubelet")
"""The kubelet's folder for plugins, below any root of the kubelet's; or the usual root as a whole."""
_OURS: Final = re.compile(r"nvidia|gpu|\bhami")
"""Words of NVIDIA's own plugin, of AKS's, GKE's and HAMi's manifests."""
_OTHERS: Final = re.compile(r"\b(amd(?!64)|rocm|intel|xpu|habana|neuron|tpu|fpga|kubevirt|sandbox)|dra-driver")
"""Words of plugins for other devices, or for whole GPUs of virtual machines, which offer no `nvidia.com/gpu`."""
_KEPT: Final = ("nodeSelector", "affinity", "tolerations")
_METADATA: Final = ("name", "namespace", "uid", "resourceVersion")
_CONTAINER: Final = ("name", "image", "command", "args")


def kept_plugin(item: Object) -> Object | None:
    """The least of a DaemonSet by which it is judged; None for one that offers no GPUs of NVIDIA's."""
    if not offers_gpus(item):
        return None
    pod = pod_of(item)
    spec = {name: pod[name] for name in _KEPT if pod.get(name)} | {
        "containers": [_kept_container(one) for one in pod.get("containers") or ()],
        "volumes": [{"hostPath": {"path": path}} for path in _host_paths(pod)],
    }
    metadata = {name: item["metadata"][name] for name in _METADATA if name in item["metadata"]}
    return {"metadata": metadata, "spec": {"template": {"spec": spec}}}


DEVICE_PLUGINS: Final = Watched("DaemonSet", "", kept_plugin)
"""Of all namespaces; some ten DaemonSets of a cluster are looked at, one or none is kept."""


def _kept_container(container: Mapping[str, Any]) -> Object:
    """Of variables the names alone: a value may be a secret."""
    variables = [{"name": one.get("name")} for one in container.get("env") or ()]
    kept = {name: container[name] for name in _CONTAINER if name in container}
    return kept | ({"env": variables} if variables else {})


def offers_gpus(daemon_set: Object) -> bool:
    """Whether its pods are device plugins for NVIDIA's GPUs."""
    pod = pod_of(daemon_set)
    if not any(path.rstrip("/").endswith(_SOCKETS) for path in _host_paths(pod)):
        return False
    words = " ".join(_words(daemon_set["metadata"]["name"], pod)).lower()
    return bool(_OURS.search(words)) and not _OTHERS.search(words)


def pod_of(daemon_set: Object) -> Mapping[str, Any]:
    """The spec of its pods."""
    return ((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}


def policy_pod(policy: Object) -> Mapping[str, Any] | None:
    """The spec of the plugin's pods that a ClusterPolicy (nvidia.com/v1) of the GPU operator will make, as far as it
    decides where they run; None where it makes none."""
    spec = policy.get("spec") or {}
    if (spec.get("devicePlugin") or {}).get("enabled") is False:
        return None
    return {"tolerations": (spec.get("daemonsets") or {}).get("tolerations") or []}


def _host_paths(pod: Mapping[str, Any]) -> list[str]:
    volumes = pod.get("volumes") or ()
    return [str((volume.get("hostPath") or {}).get("path") or "") for volume in volumes if volume.get("hostPath")]


def _words(name: str, pod: Mapping[str, Any]) -> Iterator[str]:
    yield name
    for container in pod.get("containers") or ():
        yield str(container.get("name") or "")
        yield _without_registry(str(container.get("image") or ""))
        yield from map(str, [*(container.get("command") or ()), *(container.get("args") or ())])
        yield from (str(one.get("name") or "") for one in container.get("env") or ())


def _without_registry(image: str) -> str:
    host, _, rest = image.partition("/")
    return rest if "." in host or ":" in host else image
