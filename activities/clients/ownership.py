"""Checks who owns an object: only objects that this project made for a Workspace are ever changed or deleted.

What is probably not there yet is created without a look: the API server refuses what exists already, whoever made it.
What exists is read, checked, and applied under its uid, so that an object that replaced it meanwhile is left alone.
What was made or checked is remembered by its uid: under that it is deleted without another look.
"""

from collections.abc import Callable
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from api.labels import FIELD_MANAGER

EXISTS: Final = 409
"""The status of a create of what exists."""
CHANGED: Final = (409, 422)
"""Statuses of a write to an object that is another one by now, or gone."""


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


async def delete_ours(cluster: Cluster, kind: str, name: str, key: WorkspaceKey, *, uid: str = "") -> Object | None:
    """Deletes the object if it exists and the Workspace owns it; another owner's object stays. With `uid`, as
    `ensure_ours` has returned it, reads only what has the name and another uid. Returns what was read and deleted."""
    if uid and await cluster.delete(kind, name, key.namespace, uid=uid):
        return None
    found = await cluster.get(kind, name, key.namespace)
    if found is None or not owned(found, key):
        return None
    await cluster.delete(kind, name, key.namespace, uid=found["metadata"]["uid"])
    return found


async def ensure_ours(
    cluster: Cluster,
    kind: str,
    body: Object,
    key: WorkspaceKey,
    *,
    good: Callable[[Object], bool],
    new: bool,
    seen: Object | None = None,
) -> str:
    """Creates the object, or applies it unless it is `good`; returns its uid. `new`: it is probably not there, so do
    not look first. `seen`: what a moment ago was read under this name.

    Raises OwnershipConflict if another owner has the name, ApiServerUnavailable while it is being deleted.
    """
    there = await _created(cluster, kind, body) if new else None
    if there is None:
        there = seen or await cluster.get(kind, body["metadata"]["name"], key.namespace)
        require_ours(kind, there, key)
        if there is None:
            there = await cluster.create(kind, body, manager=FIELD_MANAGER)
        elif "deletionTimestamp" in there["metadata"]:
            name = f"{key.namespace}/{there['metadata']['name']}"
            raise failure("ApiServerUnavailable", f"{kind} {name} is being deleted; it is made again when it is gone")
        elif not good(there):
            await _apply(cluster, kind, body, there)
    return str(there["metadata"]["uid"])


async def _created(cluster: Cluster, kind: str, body: Object) -> Object | None:
    """What was created; None if something has the name."""
    try:
        return await cluster.create(kind, body, manager=FIELD_MANAGER)
    except ApiException as error:
        if error.status == EXISTS:
            return None
        raise


async def _apply(cluster: Cluster, kind: str, body: Object, found: Object) -> None:
    metadata = found["metadata"]
    operations = made_as_applied(metadata)
    try:
        if operations:
            await cluster.patch(kind, metadata["name"], metadata["namespace"], operations)
        await cluster.apply(kind, body | {"metadata": body["metadata"] | {"uid": metadata["uid"]}})
    except ApiException as error:
        # An invalid field is refused with 422 as well, but for the same object.
        if error.status not in CHANGED or not await _changed(cluster, kind, metadata):
            raise
        message = f"{kind} {metadata['namespace']}/{metadata['name']} changed while it was written"
        raise failure("ApiServerUnavailable", message) from error


async def _changed(cluster: Cluster, kind: str, seen: Object) -> bool:
    """Whether the object is another one now, or other writers of it are recorded."""
    there = await cluster.get(kind, seen["name"], seen["namespace"])
    now = there["metadata"] if there else {}
    return any(now.get(field) != seen.get(field) for field in ("uid", "managedFields"))


def made_as_applied(metadata: Object) -> list[dict[str, Any]]:
    """Returns a JSON patch that records our create as an apply; [] if there is nothing to change.

    A create is recorded as an update, and no later apply removes fields that an update has set.
    """
    entries = metadata.get("managedFields") or []
    ours = {
        entry["operation"]: index
        for index, entry in enumerate(entries)
        if entry["manager"] == FIELD_MANAGER and not entry.get("subresource")
    }
    if "Update" not in ours or "Apply" in ours:
        return []
    place = f"/metadata/managedFields/{ours['Update']}"
    return [
        {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
        {"op": "test", "path": f"{place}/manager", "value": FIELD_MANAGER},
        {"op": "test", "path": f"{place}/operation", "value": "Update"},
        {"op": "replace", "path": f"{place}/operation", "value": "Apply"},
    ]
