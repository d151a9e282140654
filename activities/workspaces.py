"""Reads a Workspace and writes the two parts of it that are ours: the finalizer and the status.

The status is a server-side apply of all fields we own, so that fields of others stay. Every write is guarded by the
uid: a later Workspace of the same name is never touched, and a deleted Workspace is not an error.
"""

from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import Observed, StatusPatch, WorkspaceKey
from api import labels

FINALIZERS: Final = "/metadata/finalizers"


class Workspaces:
    """The Workspace object itself."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @signatures.implements(signatures.READ_WORKSPACE)
    async def read_workspace(self, key: WorkspaceKey) -> Observed:
        """Returns what exists now under the name, whatever its uid."""
        return observed(await self._cluster.get("Workspace", key.name, key.namespace))

    @signatures.implements(signatures.ENSURE_FINALIZER)
    async def ensure_finalizer(self, key: WorkspaceKey) -> Observed:
        """From here on Kubernetes keeps the object until we remove the finalizer. Raises WorkspaceGone if it is too
        late."""
        found = await self._ours(key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            raise failure("WorkspaceGone", f"Workspace {key.namespace}/{key.name} is gone or being deleted")
        await self._change(found, adding_finalizer(found["metadata"]))
        return observed(found)

    @signatures.implements(signatures.DELETE_FINALIZER)
    async def delete_finalizer(self, key: WorkspaceKey) -> Observed:
        """Removes the finalizer. A Workspace that is gone, or has another uid, is left alone."""
        found = await self._ours(key)
        if found is not None:
            await self._change(found, removing_finalizer(found["metadata"]))
        return Observed(found=False, uid=key.uid)

    @signatures.implements(signatures.PATCH_STATUS)
    async def patch_status(self, patch: StatusPatch) -> Observed:
        """Applies the status and returns the generation that the object has by now."""
        key = patch.workspace
        body: Object = {
            "apiVersion": labels.V1BETA1,
            "kind": labels.KIND,
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": key.uid},
            "status": patch.status,
        }
        try:
            return observed(await self._cluster.apply("Workspace", body, subresource="status"))
        except ApiException as error:
            if error.status == 404 or (error.status == 409 and await self._ours(key) is None):
                return Observed(found=False)
            raise

    async def _ours(self, key: WorkspaceKey) -> Object | None:
        found = await self._cluster.get("Workspace", key.name, key.namespace)
        return found if found is not None and found["metadata"]["uid"] == key.uid else None

    async def _change(self, found: Object, operations: list[Object]) -> None:
        """Fails with 409 or 422, and is retried, if another writer has changed the finalizers in between."""
        if not operations:
            return
        metadata = found["metadata"]
        same: Object = {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]}
        try:
            await self._cluster.patch("Workspace", metadata["name"], metadata["namespace"], [same, *operations])
        except ApiException as error:
            if error.status in (409, 422):
                raise failure(
                    "ApiServerUnavailable", "the Workspace changed while its finalizers were written"
                ) from error
            if error.status != 404:
                raise


def adding_finalizer(metadata: Object) -> list[Object]:
    """Returns a JSON patch that adds our finalizer; [] if it is there already.

    It tests the list and not the resourceVersion: our own concurrent status writes must not make it fail.
    """
    present = metadata.get("finalizers") or []
    if labels.WORKSPACE_FINALIZER in present:
        return []
    if present:
        return [{"op": "add", "path": f"{FINALIZERS}/-", "value": labels.WORKSPACE_FINALIZER}]
    # In a JSON patch a test for null means that the field is absent; the API server accepts that.
    return [
        {"op": "test", "path": FINALIZERS, "value": None},
        {"op": "add", "path": FINALIZERS, "value": [labels.WORKSPACE_FINALIZER]},
    ]


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
