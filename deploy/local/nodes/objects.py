"""The state of a local node in the API server: adds its GPUs, waits until it is Ready.

A GPU is an extended resource patched into the node's status, as a device plugin's would appear; the scheduler treats
it like a real one. A starting kubelet removes extended resources until a plugin has reported them again.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from deploy.local.cluster import owner_client
from deploy.local.host import daemons
from deploy.local.layout import Layout
from deploy.local.network.nodes import NodeFailed, NodeSpec

GPU = "nvidia.com/gpu"
NOT_READY_TAINT = "node.kubernetes.io/not-ready"
POLL_S = 0.2
# Unreachable, or not serving everything yet.
NOT_YET = (0, 500, 503)


def give_gpus(layout: Layout, spec: NodeSpec, kubelet_started_at: float, deadline_s: float) -> None:
    """Adds the node's GPUs to its capacity once this kubelet (start in seconds since the epoch) has reported. Raises
    NodeFailed."""
    if spec.gpus == 0:
        return
    since = int(kubelet_started_at)
    _wait(layout, spec.name, deadline_s, lambda node: reported_at(node) >= since, "has not registered")
    path = f"{_path(spec.name)}/status"
    patch = [{"op": "add", "path": f"/status/capacity/{GPU.replace('/', '~1')}", "value": str(spec.gpus)}]
    owner_client.request(layout, "PATCH", path, patch)


def wait_until_ready(layout: Layout, spec: NodeSpec, deadline_s: float) -> None:
    """Returns when pods can be scheduled on the node and its GPUs. Raises NodeFailed with the kubelet's message."""
    _wait(layout, spec.name, deadline_s, lambda node: is_usable(node, spec.gpus), "is not Ready")


def is_usable(node: dict[str, Any], gpus: int) -> bool:
    """Ready, with its GPUs, and without the not-ready taint, which would keep pods away."""
    taints = [taint["key"] for taint in node.get("spec", {}).get("taints", [])]
    return is_ready(node) and allocatable_gpus(node) >= gpus and NOT_READY_TAINT not in taints


def is_ready(node: dict[str, Any]) -> bool:
    return any(each["status"] == "True" for each in _conditions(node) if each["type"] == "Ready")


def reported_at(node: dict[str, Any]) -> float:
    """Returns when the kubelet last reported its Ready condition, in whole seconds since the epoch; 0 for never."""
    beats = [each.get("lastHeartbeatTime") for each in _conditions(node) if each["type"] == "Ready"]
    return max((datetime.fromisoformat(beat).timestamp() for beat in beats if beat), default=0.0)


def allocatable_gpus(node: dict[str, Any]) -> int:
    return int(node.get("status", {}).get("allocatable", {}).get(GPU, "0"))


def _wait(layout: Layout, name: str, deadline_s: float, done: Callable[[dict[str, Any]], bool], complaint: str) -> None:
    deadline = time.monotonic() + deadline_s
    while True:
        node = _read(layout, name)
        if isinstance(node, dict) and done(node):
            return
        if time.monotonic() > deadline:
            log = daemons.log_of(layout, f"kubelet-{name}")
            raise NodeFailed(f"node {name} {complaint} after {deadline_s:g} s: {_why(node)}; log: {log}")
        time.sleep(POLL_S)


def _read(layout: Layout, name: str) -> dict[str, Any] | str:
    """Returns the Node, or why it cannot be read: a node may start before the API server responds."""
    try:
        return owner_client.read(layout, _path(name)) or "the API server has no such Node"
    except owner_client.ClusterApiError as error:
        if error.status not in NOT_YET:
            raise
        return str(error)


def _why(node: dict[str, Any] | str) -> str:
    if isinstance(node, str):
        return node
    messages = [each.get("message", "") for each in _conditions(node) if each["type"] == "Ready"]
    return f"{', '.join(messages) or 'no Ready condition'}; {allocatable_gpus(node)} GPUs allocatable"


def _conditions(node: dict[str, Any]) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = node.get("status", {}).get("conditions", [])
    return conditions


def _path(name: str) -> str:
    return f"/api/v1/nodes/{name}"
