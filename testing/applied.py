"""Workspaces that e2e tests apply: the demo's under other names, and one that is cheap to serve."""

from pathlib import Path
from typing import Any

import yaml

from deploy.local.demo import demo
from deploy.local.images.contents import FETCH
from deploy.local.images.images import reference
from deploy.local.layout import Layout


def written(stack: Layout, name: str, documents: list[dict[str, Any]]) -> Path:
    """Returns a file with these documents."""
    file = stack.state / f"{name}.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return file


def workspace(name: str, inference: dict[str, Any] | None = None) -> dict[str, Any]:
    """The demo's, under another name; with another way to serve if one is given."""
    document: dict[str, Any] = yaml.safe_load(demo.EXAMPLE.read_text())
    document["metadata"]["name"] = name
    document["resource"]["labelSelector"]["matchLabels"]["apps"] = name
    return document | ({"inference": inference} if inference else {})


def own_server(stack: Layout) -> dict[str, Any]:
    """A pod template: the files of a folder over HTTP."""
    container = {
        "name": "server",
        "image": reference(stack, FETCH),
        "command": ["python", "-m", "http.server", "5000"],
        "ports": [{"containerPort": 5000}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 5000}},
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"template": {"spec": {"securityContext": security, "containers": [container]}}}
