"""The configuration of a local node: containerd, the pod network, the kubelet. Pure functions to text and argv.

Paths are those inside the node's namespaces; `node.py` writes the files there and runs the programs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.cluster.certificates import KeyPair
from deploy.local.kubernetes.binaries import Binaries
from deploy.local.layout import Layout
from deploy.local.network.nodes import NodeSpec

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CNI_PROGRAMS = "/usr/lib/cni"
PAUSE_IMAGE = "modelyard/pause:dev"
MEMORY_RESERVE_MIB = 100
# From this minor version on the kubelet supports only a remote runtime, and the flag that selects it is gone.
REMOTE_RUNTIME_ONLY_FROM = 27
CGROUP_V1_REFUSED_FROM = 31


@dataclass(frozen=True)
class Machine:
    """The machine's resources, which every kubelet on it reports as capacity."""

    cpu: int
    memory_kib: int


def containerd_config(layout: Layout, folder: Path) -> str:
    """Returns config.toml (version 2, which containerd 1.6 and 2.x read)."""
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt",
]
[grpc]
address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{layout.registry}/{PAUSE_IMAGE}"
# Without CAP_SYS_RESOURCE a sandbox that asks for a lower oom_score_adj than ours dies at once.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
# The compressed layers are in the registry on this machine; a second copy per node is disk for nothing.
discard_unpacked_layers = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_PROGRAMS}"
conf_dir = "{folder / "cni"}"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{folder / "registries"}"
"""


def registry_hosts(layout: Layout) -> str:
    """Returns hosts.toml for the local registry, which speaks plain HTTP."""
    return (
        f'server = "http://{layout.registry}"\n[host."http://{layout.registry}"]\ncapabilities = ["pull", "resolve"]\n'
    )


def pod_network(layout: Layout, number: int) -> str:
    """Returns the CNI list. Pods are routed, not bridged, so that Service rules apply between two pods of a node."""
    ranges = [[{"subnet": str(layout.pod_subnet(number))}]]
    ipam = {"type": "host-local", "dataDir": "/run/cni-addresses", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "0.4.0", "name": "modelyard", "plugins": plugins}, indent=1)


def kubelet_config(
    layout: Layout,
    *,
    number: int,
    spec: NodeSpec,
    machine: Machine,
    pair: KeyPair,
    cgroup: str,
    minor: int,
    folder: Path,
) -> str:
    """KubeletConfiguration as JSON (which is YAML)."""
    document: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(layout.node_address(number)),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pair.certificate),
        "tlsPrivateKeyFile": str(pair.key),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failSwapOn": False,
        "resolvConf": str(folder / "resolv.conf"),
        # Disk space is the machine's concern; evicting pods would not help here.
        "evictionHard": {
            "memory.available": f"{MEMORY_RESERVE_MIB}Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "systemReserved": reserved(spec, machine),
        "nodeStatusUpdateFrequency": "1s",
        "nodeLeaseDurationSeconds": 8,
        "volumeStatsAggPeriod": "5m",
    }
    if minor >= REMOTE_RUNTIME_ONLY_FROM:
        document["containerRuntimeEndpoint"] = f"unix://{CONTAINERD_SOCKET}"
    if minor >= CGROUP_V1_REFUSED_FROM:
        document["failCgroupV1"] = False
    return json.dumps(document, indent=1)


def kubelet_argv(binaries: Binaries, *, spec: NodeSpec, address: str, kubeconfig: Path, config: Path) -> list[str]:
    """Returns the kubelet's command line, to be run inside the node's namespaces."""
    argv = [
        binaries.path("kubelet"),
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={spec.name}",
        f"--node-ip={address}",
        "--root-dir=/var/lib/kubelet",
    ]
    if binaries.minor < REMOTE_RUNTIME_ONLY_FROM:
        argv += ["--container-runtime=remote", f"--container-runtime-endpoint=unix://{CONTAINERD_SOCKET}"]
    if spec.labels:
        argv.append("--node-labels=" + ",".join(f"{key}={value}" for key, value in sorted(spec.labels.items())))
    if spec.taints:
        argv.append("--register-with-taints=" + ",".join(spec.taints))
    if spec.provider_id:
        argv.append(f"--provider-id={spec.provider_id}")
    return argv


def reserved(spec: NodeSpec, machine: Machine) -> dict[str, str]:
    """Returns what the kubelet reserves so that allocatable is as requested, at most the machine's capacity."""
    result = {}
    if spec.cpu is not None:
        result["cpu"] = str(max(0, machine.cpu - spec.cpu))
    if spec.memory_mib is not None:
        result["memory"] = f"{max(0, machine.memory_kib - (MEMORY_RESERVE_MIB + spec.memory_mib) * 1024)}Ki"
    return result
