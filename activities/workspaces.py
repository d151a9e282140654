"""Reads a Workspace, and adds and removes the finalizer.

Every write is guarded by the uid: a later Workspace of the same name is never touched, and a deleted Workspace is not
an error. `activities/status/statuses.py` writes the status.
"""

from collections.abc import Callable
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import Observed, WorkspaceKey
from api import labels

FINALIZERS: Final = "/metadata/finalizers"
MANAGER: Final = f"{labels.FIELD_MANAGER}-finalizer"
"""Owns the finalizer alone: an apply of anything else by another manager does not remove it."""

Note = Callable[[Object], None]
"""Gets a Workspace as the API server has it now."""


class Workspaces:
    """The Workspace object itself."""

    def __init__(self, cluster: Cluster, note: Note = lambda found: None) -> None:
        """`note` is told of every Workspace that was read or written."""
        self._cluster = cluster
        self._note = note

    @signatures.implements(signatures.READ_WORKSPACE)
    async def read_workspace(self, key: WorkspaceKey) -> Observed:
        """Returns what exists now under the name, whatever its uid."""
        return observed(await self._cluster.get("Workspace", key.name, key.namespace))

    @signatures.implements(signatures.ENSURE_FINALIZER)
    async def ensure_finalizer(self, key: WorkspaceKey) -> Observed:
        """From here on Kubernetes keeps the object until we remove the finalizer. Raises WorkspaceGone if it is too
        late."""
        metadata = {"name": key.name, "namespace": key.namespace, "uid": key.uid}
        body = {"apiVersion": labels.V1BETA1, "kind": labels.KIND}
        finalizers = {"finalizers": [labels.WORKSPACE_FINALIZER]}
        try:
            found = await self._cluster.apply("Workspace", body | {"metadata": metadata | finalizers}, manager=MANAGER)
        except ApiException as error:
            # 404 or 409: nothing with this uid; 422: no finalizer can be added to what is being deleted.
            if error.status not in (404, 409, 422) or not await self._too_late(key):
                raise
            found = {}
        if not found or "deletionTimestamp" in found["metadata"]:
            raise failure("WorkspaceGone", f"Workspace {key.namespace}/{key.name} is gone or being deleted")
        self._note(found)
        return observed(found)

    async def _too_late(self, key: WorkspaceKey) -> bool:
        found = await read_ours(self._cluster, key)
        return found is None or "deletionTimestamp" in found["metadata"]

    @signatures.implements(signatures.DELETE_FINALIZER)
    async def delete_finalizer(self, key: WorkspaceKey) -> Observed:
        """Removes the finalizer. A Workspace that is gone, or has another uid, is left alone."""
        if await self._patch(key, removing_finalizer({"finalizers": [labels.WORKSPACE_FINALIZER]})):
            return Observed(found=False, uid=key.uid)
        found = await read_ours(self._cluster, key)  # there are others before ours, or ours is not there
        operations = removing_finalizer(found["metadata"]) if found is not None else []
        if operations and not await self._patch(key, operations):
            raise failure("ApiServerUnavailable", "the Workspace changed while its finalizers were written")
        return Observed(found=False, uid=key.uid)

    async def _patch(self, key: WorkspaceKey, operations: list[Object]) -> bool:
        """Returns False if one of the tests does not hold, and True if the patch was applied or the object is gone."""
        same: Object = {"op": "test", "path": "/metadata/uid", "value": key.uid}
        try:
            await self._cluster.patch("Workspace", key.name, key.namespace, [same, *operations])
        except ApiException as error:
            if error.status not in (404, 409, 422):
                raise
            return bool(error.status == 404)
        return True


async def read_ours(cluster: Cluster, key: WorkspaceKey) -> Object | None:
    """Returns the Workspace with this uid; None if it is gone, or another one has its name."""
    found = await cluster.get("Workspace", key.name, key.namespace)
    return found if found is not None and found["metadata"]["uid"] == key.uid else None


async def read_existing(cluster: Cluster, key: WorkspaceKey) -> Object:
    """Returns the Workspace with this uid. Raises WorkspaceGone."""
    found = await read_ours(cluster, key)
    if found is None:
        raise failure("WorkspaceGone", f"Workspace {key.namespace}/{key.name} is gone")
    return found


def is_protected(metadata: Object) -> bool:
    """Whether our finalizer is there."""
    return labels.WORKSPACE_FINALIZER in (metadata.get("finalizers") or [])


def removing_finalizer(metadata: Object) -> list[Object]:
    """Returns a JSON patch that removes our finalizer and no other; [] if it is not there."""
    present = metadata.get("finalizers") or []
    if labels.WORKSPACE_FINALIZER not in present:
        return []
    place = f"{FINALIZERS}/{present.index(labels.WORKSPACE_FINALIZER)}"
    return [{"op": "test", "path": place, "value": labels.WORKSPACE_FINALIZER}, {"op": "remove", "path": place}]


def observed(found: Object | None) -> Observed:
    """Returns the few facts about a Workspace that workflows act on."""
    if found is None:
        return Observed(found=False)
    metadata = found["metadata"]
    return Observed(
        found=True,
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        deleting="deletionTimestamp" in metadata,
        paused=labels.is_paused(metadata.get("annotations") or {}),
    )
