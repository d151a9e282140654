"""Checks who owns an object: only objects that this project made for a Workspace are ever changed or deleted."""

from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey


def owned(found: Object, key: WorkspaceKey) -> bool:
    """Whether the Workspace with this uid is an owner of the object."""
    return any(owner.get("uid") == key.uid for owner in found["metadata"].get("ownerReferences") or [])


def require_ours(kind: str, existing: Object | None, key: WorkspaceKey) -> None:
    """Raises OwnershipConflict if the object exists and the Workspace does not own it."""
    if existing is not None and not owned(existing, key):
        name = existing["metadata"]["name"]
        message = (
            f"{kind} {key.namespace}/{name} exists and is not this Workspace's: rename the Workspace, or delete it"
        )
        raise failure("OwnershipConflict", message)


async def delete_ours(cluster: Cluster, kind: str, name: str, key: WorkspaceKey) -> None:
    """Deletes the object if it exists and the Workspace owns it; another owner's object stays."""
    found = await cluster.get(kind, name, key.namespace)
    if found is not None and owned(found, key):
        await cluster.delete(kind, name, key.namespace, uid=found["metadata"]["uid"])
