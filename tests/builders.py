"""Plans with defaults: what a test does not name is a preset on one machine with one GPU."""

from typing import Any, Final

from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Deadlines, Plan
from api import names

SKU: Final = "Standard_NC24ads_A100_v4"
UID: Final = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"


def a_key(uid: str = UID, name: str = "w", namespace: str = "default") -> WorkspaceKey:
    return WorkspaceKey(namespace=namespace, name=name, uid=uid)


def a_plan(key: WorkspaceKey | None = None, **changes: Any) -> Plan:
    key = key or a_key()
    provision_s = changes.pop("provision_s", 30)
    defaults: dict[str, Any] = {
        "key": key,
        "generation": 1,
        "kind": "preset",
        "model": "microsoft/phi-4",
        "instance_type": SKU,
        "node_count": 1,
        "gpus_per_node": 1,
        "pool_name": names.pool_name(key.uid),
        "os_disk_gib": 137,
        "node_labels": {"apps": "w"},
        "deadlines": Deadlines(provision=provision_s),
    }
    return Plan(**(defaults | changes))
