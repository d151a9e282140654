"""Reports the state of an instance: each process with pid, address, health, age and log; nodes; Modelyard's pods.

Read-only. A part that cannot be queried is reported as such instead of hiding the others.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.local.cluster.kubectl import kubectl_json
from deploy.local.host import daemons
from deploy.local.host.commands import CommandFailed
from deploy.local.host.processes import find_process, seconds_running
from deploy.local.layout import Layout
from deploy.local.network.bridge import GATEWAY
from deploy.local.nodes.node import list_nodes
from deploy.local.services.pods import NAMESPACE, PodStatus, pod_status, read_pods
from deploy.local.stack.choices import Choices, recall
from deploy.local.stack.components import Component, components_of

NODES_S = 10.0


@dataclass(frozen=True)
class ProcessStatus:
    """`state` is ready, not ready or stopped; `running_s`: seconds since the start."""

    name: str
    state: str
    address: str
    pid: int | None
    running_s: float | None
    log: str


@dataclass(frozen=True)
class NodeStatus:
    """A Node object's state in the cluster."""

    name: str
    ready: bool
    pool: str
    instance_type: str
    gpus: int


@dataclass(frozen=True)
class StackStatus:
    """The complete state of an instance. `problems`: the parts that could not be queried, and why."""

    instance: str
    up: bool
    kubeconfig: str
    logs: str
    processes: list[ProcessStatus]
    nodes: list[NodeStatus]
    pods: list[PodStatus]
    problems: list[str]

    @property
    def well(self) -> bool:
        """Returns whether every expected process runs, and every node and pod is Ready."""
        return (
            self.up
            and not self.problems
            and all(process.state == "ready" for process in self.processes)
            and all(node.ready for node in self.nodes)
            and all(pod.ready for pod in self.pods)
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "well": self.well}


def read_status(instance: str) -> StackStatus:
    """Returns the current state of an instance. Raises UnknownInstance."""
    choices = recall(instance)
    layout = (choices or Choices()).layout(instance)
    running = daemons.running(layout)
    kubeconfig = (choices and choices.kubeconfig) or layout.admin_kubeconfig
    nodes, no_nodes = _nodes(kubeconfig) if choices else ([], [])
    pods, no_pods = _pods(kubeconfig) if choices and choices.pods else ([], [])
    return StackStatus(
        instance=instance,
        up=choices is not None,
        kubeconfig=str(kubeconfig),
        logs=str(layout.logs),
        processes=_processes(layout, choices, running),
        nodes=nodes,
        pods=pods,
        problems=[*no_nodes, *no_pods],
    )


def of_nodes(nodes: list[str]) -> set[str]:
    """Returns the daemons that these local nodes should have."""
    return {f"{program}-{node}" for node in nodes for program in ("containerd", "kubelet", "kube-proxy")}


def node_status(node: dict[str, Any]) -> NodeStatus:
    """Returns the relevant fields of a Node object."""
    labels = node["metadata"].get("labels", {})
    conditions = node.get("status", {}).get("conditions", [])
    return NodeStatus(
        name=node["metadata"]["name"],
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
        pool=labels.get("agentpool", ""),
        instance_type=labels.get("node.kubernetes.io/instance-type", ""),
        gpus=int(node.get("status", {}).get("allocatable", {}).get("nvidia.com/gpu", 0)),
    )


def process_status(layout: Layout, component: Component, running: dict[str, int]) -> ProcessStatus:
    """Returns the state of one component, given the pids of the running daemons."""
    pid = running.get(component.name)
    if pid is None:
        return _process(layout, component.name, "stopped", component.address, None)
    return _process(layout, component.name, "ready" if component.ready() else "not ready", component.address, pid)


def _processes(layout: Layout, choices: Choices | None, running: dict[str, int]) -> list[ProcessStatus]:
    expected = components_of(layout, choices) if choices else []
    with ThreadPoolExecutor(max_workers=8) as pool:
        known = list(pool.map(lambda component: process_status(layout, component, running), expected))
    names = {process.name for process in known}
    # Daemons outside the table: the processes of nodes, and leftovers of an instance that should be down.
    others = sorted({*running, *of_nodes(list_nodes(layout))} - names)
    return known + [
        _process(layout, name, "ready" if name in running else "stopped", "", running.get(name)) for name in others
    ]


def _process(layout: Layout, name: str, state: str, address: str, pid: int | None) -> ProcessStatus:
    log = str(daemons.log_of(layout, name))
    return ProcessStatus(name, state, address, pid, None if pid is None else _running_s(pid), log)


def _running_s(pid: int) -> float | None:
    process = find_process(pid)
    return None if process is None else round(seconds_running(process), 1)


def _pods(kubeconfig: Path) -> tuple[list[PodStatus], list[str]]:
    try:
        pods = [pod_status(pod) for pod in read_pods(kubeconfig)]
    except CommandFailed as failure:
        return [], [f"the pods of the control plane are unknown: {failure}"]
    return pods, [] if pods else [f"there is no pod in {NAMESPACE}: the chart is not installed"]


def _nodes(kubeconfig: Path) -> tuple[list[NodeStatus], list[str]]:
    if not kubeconfig.exists():
        return [], ["the nodes are unknown: the cluster has not been started"]
    try:
        found = kubectl_json(kubeconfig, "get", "nodes", deadline_s=NODES_S)
    except CommandFailed as failure:
        return [], [f"the nodes are unknown: {failure}"]
    return [node_status(node) for node in found["items"] if node["metadata"]["name"] != GATEWAY], []
