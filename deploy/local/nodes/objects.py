"""The state of a local node in the API server: waits until it is Ready, and reads its GPUs.

They are the kubelet's to show: a device plugin offers them to it (`gpu_plugin.py`).
"""

import time
from collections.abc import Callable
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


def wait_until_ready(layout: Layout, spec: NodeSpec, deadline_s: float) -> None:
    """Returns when pods can be scheduled on the node. Raises NodeFailed with the kubelet's message."""
    _wait(layout, spec.name, deadline_s, is_usable, "is not Ready")


def is_usable(node: dict[str, Any]) -> bool:
    """Ready, and without the not-ready taint, which would keep pods away."""
    taints = [taint["key"] for taint in node.get("spec", {}).get("taints", [])]
    return is_ready(node) and NOT_READY_TAINT not in taints


def is_ready(node: dict[str, Any]) -> bool:
    return any(each["status"] == "True" for each in _conditions(node) if each["type"] == "Ready")


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
    return f"{', '.join(messages) or 'no Ready condition'}"


def _conditions(node: dict[str, Any]) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = node.get("status", {}).get("conditions", [])
    return conditions


def _path(name: str) -> str:
    return f"/api/v1/nodes/{name}"
