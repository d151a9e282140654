"""NodeClaims, Nodes and pods with defaults, as the API server would show them."""

from typing import Any

from activities.contract.payloads import WorkspaceKey
from api import labels
from tests.builders import SKU, a_key

CREATED = "2026-01-01T00:00:00Z"


def a_claim(
    name: str, key: WorkspaceKey | None = None, *, passed: int = 3, sku: str = SKU, **changes: Any
) -> dict[str, Any]:
    """A NodeClaim that has passed `passed` of Launched, Registered, Initialized. `stuck` is the next condition."""
    key = key or a_key()
    stages = ("Launched", "Registered", "Initialized")
    conditions = [{"type": stage, "status": "True", "reason": stage} for stage in stages[:passed]]
    if "stuck" in changes:
        conditions.append({"type": stages[passed], "status": "Unknown"} | changes["stuck"])
    own = labels.node_ownership(key.namespace, key.name, key.uid)
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "creationTimestamp": CREATED, "labels": own}
    if changes.get("legacy"):
        del own[labels.WORKSPACE_UID]
    if changes.get("deleting"):
        metadata["deletionTimestamp"] = CREATED
    return {
        "metadata": metadata,
        "spec": {"requirements": [{"key": labels.INSTANCE_TYPE, "operator": "In", "values": [sku]}]},
        "status": {"conditions": conditions, "nodeName": f"node-{name}" if passed > 1 else ""},
    }


def a_node(name: str, *, gpus: int = 1, ready: bool = True, version: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "labels": {"apps": "w"} | changes.get("labels", {}),
        },
        "spec": {"taints": changes.get("taints", []), "unschedulable": changes.get("cordoned", False)},
        "status": {
            "allocatable": {labels.GPU_RESOURCE: str(gpus)},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def a_pod(name: str, node: str = "", *, gpus: int = 1, phase: str = "Running", workspace: str = "") -> dict[str, Any]:
    own = {labels.WORKSPACE_UID: workspace} if workspace else {}
    resources = {"limits": {labels.GPU_RESOURCE: str(gpus)}, "requests": {labels.GPU_RESOURCE: str(gpus)}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": own},
        "spec": {"nodeName": node, "containers": [{"name": "main", "resources": resources}]},
        "status": {"phase": phase},
    }
