"""Starts and stops real Kubernetes nodes on this machine: containerd, kubelet, kube-proxy in their own namespaces.

Each node has its own cgroup root, logs, sockets, address and pod subnet, because two kubelets that share any of these
destroy each other's pods. `config.py` builds the configuration. The kubelet and the control plane own the Node object;
this file never deletes it.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local.cluster import certificates, flags, kubeconfigs
from deploy.local.host import cgroups, daemons, mount_points, probes
from deploy.local.kubernetes.binaries import Binaries, require_binaries
from deploy.local.layout import Layout
from deploy.local.network import bridge, namespaces, nodes
from deploy.local.network.nodes import NodeSpec
from deploy.local.nodes import config as node_files
from deploy.local.nodes import gpu_plugin, objects

READY_S = 90.0
# The kubelet looks for cloud credentials before it starts; without this it tries for 10 s outside a cloud.
KUBELET_ENVIRONMENT = {"AWS_EC2_METADATA_DISABLED": "true"}


def start_node(layout: Layout, spec: NodeSpec) -> None:
    """Returns once the node is Ready; keeps what runs. Its GPUs come with a device plugin (`gpu_plugin.py`). Raises
    DaemonFailed, NodeFailed."""
    number = nodes.claim(layout, spec)
    binaries = require_binaries(layout)
    _prepare_namespaces(layout, spec.name, number)
    _write_files(layout, spec, number, binaries)
    _start_containerd(layout, spec.name)
    with ThreadPoolExecutor(2) as pool:
        parts = [pool.submit(start, layout, spec, number, binaries) for start in (_start_kubelet, _start_kube_proxy)]
        for part in parts:
            part.result()
    objects.wait_until_ready(layout, spec, deadline_s=READY_S)


def stop_node(layout: Layout, name: str) -> None:
    """Removes everything of the node: processes, mounts, network, cgroups, files. Its Node object stays."""
    number = nodes.number_of(layout, name)
    if number is None:
        return
    # The kernel ends all processes inside with the namespaces, so that no pod can block this.
    namespaces.release(layout, _inside(name))
    for program in ("kubelet", "kube-proxy", "containerd"):
        daemons.stop(layout, f"{program}-{name}", deadline_s=5)
    bridge.disconnect_node(layout, number)
    cgroups.remove(_cgroup(layout, name))
    layout.kubeconfig_of(f"system-node-{name}").unlink(missing_ok=True)
    nodes.forget(layout, name)


def list_nodes(layout: Layout) -> list[str]:
    """Returns the nodes that were started and not stopped, whatever the state of their processes."""
    return sorted(nodes.numbers(layout))


def cut_node(layout: Layout, name: str) -> None:
    """Disconnects the node and its pods from the network. Raises NodeFailed for an unknown node."""
    bridge.set_link(layout, nodes.known_number_of(layout, name), "down")


def heal_node(layout: Layout, name: str) -> None:
    """Reverts `cut_node`. Raises NodeFailed for an unknown node."""
    bridge.set_link(layout, nodes.known_number_of(layout, name), "up")


def enter_node(layout: Layout, name: str) -> tuple[str, ...]:
    """Returns the argv prefix that runs a program inside the node."""
    return namespaces.enter(layout, _inside(name))


def _prepare_namespaces(layout: Layout, name: str, number: int) -> None:
    folder = nodes.folder_of(layout, name)
    binds = {
        folder / "kubelet": mount_points.KUBELET,
        folder / "containerd": mount_points.CONTAINERD,
        folder / "log": Path("/var/log"),
    }
    for source in binds:
        source.mkdir(parents=True, exist_ok=True)
    cgroups.make(_cgroup(layout, name))
    with mount_points.made():
        namespaces.hold(layout, _inside(name), list(binds.items()))
    bridge.connect_node(layout, _inside(name), number)


def _write_files(layout: Layout, spec: NodeSpec, number: int, binaries: Binaries) -> None:
    folder, address = nodes.folder_of(layout, spec.name), str(layout.node_address(number))
    user = f"system:node:{spec.name}"
    kubeconfigs.mint_kubeconfig(layout, user, ("system:nodes",))
    kubeconfigs.mint_kubeconfig(layout, "system:kube-proxy")
    pair = certificates.ensure_certificate(
        layout, f"kubelet-{spec.name}", common_name=user, organizations=("system:nodes",), hosts=(spec.name, address)
    )
    kubelet = node_files.kubelet_config(
        layout,
        number=number,
        spec=spec,
        machine=_machine(),
        pair=pair,
        cgroup=_cgroup(layout, spec.name),
        minor=binaries.minor,
        folder=folder,
    )
    files = {
        "containerd.toml": node_files.containerd_config(layout, folder),
        "cni/10-modelyard.conflist": node_files.pod_network(layout, number),
        f"registries/{layout.registry}/hosts.toml": node_files.registry_hosts(layout),
        "resolv.conf": "# Pods reach each other and this machine by address.\n",
        "kubelet.json": kubelet,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    gpu_plugin.write_gpus(folder / "kubelet", spec.gpus)


def _start_containerd(layout: Layout, name: str) -> None:
    config = nodes.folder_of(layout, name) / "containerd.toml"
    socket = namespaces.inside(layout, _inside(name), node_files.CONTAINERD_SOCKET)
    argv = ("containerd", "--config", str(config))
    daemons.start(
        layout,
        daemons.Daemon(f"containerd-{name}", argv, probes.once_listening(socket), enter=enter_node(layout, name)),
    )


def _start_kubelet(layout: Layout, spec: NodeSpec, number: int, binaries: Binaries) -> None:
    address = str(layout.node_address(number))
    argv = node_files.kubelet_argv(
        binaries,
        spec=spec,
        address=address,
        kubeconfig=layout.kubeconfig_of(f"system-node-{spec.name}"),
        config=nodes.folder_of(layout, spec.name) / "kubelet.json",
    )
    ready = probes.once_port_open(address, 10250)
    enter = enter_node(layout, spec.name)
    daemons.start(
        layout, daemons.Daemon(f"kubelet-{spec.name}", argv, ready, enter=enter, deadline_s=60, env=KUBELET_ENVIRONMENT)
    )


def _start_kube_proxy(layout: Layout, spec: NodeSpec, number: int, binaries: Binaries) -> None:
    address, kubeconfig = str(layout.node_address(number)), layout.kubeconfig_of("system-kube-proxy")
    argv = flags.kube_proxy(binaries, layout=layout, name=spec.name, address=address, kubeconfig=kubeconfig)
    ready = probes.once_answers(f"http://{address}:10256/healthz")
    enter = enter_node(layout, spec.name)
    daemons.start(layout, daemons.Daemon(f"kube-proxy-{spec.name}", argv, ready, enter=enter, deadline_s=60))


def _machine() -> node_files.Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return node_files.Machine(cpu=os.cpu_count() or 1, memory_kib=memory // 2**10)


def _cgroup(layout: Layout, name: str) -> str:
    return f"modelyard-{layout.instance}-{name}"


def _inside(name: str) -> str:
    return f"node-{name}"
