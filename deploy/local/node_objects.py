"""What a local node looks like in the API server: GPUs that it is given, and whether it is Ready.

A GPU is an extended resource patched into the node's status, as a device plugin's would show up; the scheduler treats
it like a real one.
"""

import time
from collections.abc import Callable
from typing import Any

from deploy.local import cluster_api, daemons
from deploy.local.layout import Layout
from deploy.local.node_files import NodeSpec
from deploy.local.node_records import NodeFailed

GPU = "nvidia.com/gpu"
POLL_S = 0.2


def give_gpus(layout: Layout, spec: NodeSpec, deadline_s: float) -> None:
    """Puts the node's GPUs into its capacity once it has registered. Raises NodeFailed."""
    if spec.gpus == 0:
        return
    _wait(layout, spec.name, deadline_s, lambda node: True, "has not registered")
    path = f"{_path(spec.name)}/status"
    patch = [{"op": "add", "path": f"/status/capacity/{GPU.replace('/', '~1')}", "value": str(spec.gpus)}]
    cluster_api.request(layout, "PATCH", path, patch)


def wait_until_ready(layout: Layout, spec: NodeSpec, deadline_s: float) -> None:
    """Returns when the node is Ready and its GPUs are allocatable. Raises NodeFailed with what the kubelet says."""
    _wait(
        layout,
        spec.name,
        deadline_s,
        lambda node: is_ready(node) and allocatable_gpus(node) >= spec.gpus,
        "is not Ready",
    )


def is_ready(node: dict[str, Any]) -> bool:
    return any(each["status"] == "True" for each in _conditions(node) if each["type"] == "Ready")


def allocatable_gpus(node: dict[str, Any]) -> int:
    return int(node.get("status", {}).get("allocatable", {}).get(GPU, "0"))


def _wait(layout: Layout, name: str, deadline_s: float, done: Callable[[dict[str, Any]], bool], complaint: str) -> None:
    deadline = time.monotonic() + deadline_s
    while True:
        node = cluster_api.read(layout, _path(name))
        if node is not None and done(node):
            return
        if time.monotonic() > deadline:
            log = daemons.log_of(layout, f"kubelet-{name}")
            raise NodeFailed(f"node {name} {complaint} after {deadline_s:g} s: {_why(node)}; log: {log}")
        time.sleep(POLL_S)


def _why(node: dict[str, Any] | None) -> str:
    if node is None:
        return "the API server has no such Node"
    messages = [each.get("message", "") for each in _conditions(node) if each["type"] == "Ready"]
    return f"{', '.join(messages) or 'no Ready condition'}; {allocatable_gpus(node)} GPUs allocatable"


def _conditions(node: dict[str, Any]) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = node.get("status", {}).get("conditions", [])
    return conditions


def _path(name: str) -> str:
    return f"/api/v1/nodes/{name}"
