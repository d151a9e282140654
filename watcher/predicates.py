"""Decides which events of an object are sent to its workflow. Pure: remembers the last message per UID.

Without this filter the workflow would receive an event for every status it writes. Events that pass: a new generation,
a delete, a retry or pause annotation, the first sight; for owned objects, a change from healthy to unhealthy. Changes
that happened before the watch began are unknown, so objects in the initial list trigger a resync.
"""

from typing import Final

from activities.clients.kubernetes import Object
from activities.clients.watch import EventType
from activities.contract.payloads import Sighting
from activities.nodes.reservation_labels import reservations_of
from api import labels
from api.names import WorkspaceKey
from workflows.messages import Changed

DIGESTS_KEPT: Final = 10
"""Of one object: as many as Kubernetes keeps revisions of a Deployment to roll back to."""


class WorkspaceMemory:
    """The last message sent to each Workspace's workflow."""

    def __init__(self) -> None:
        self._sent: dict[str, Changed] = {}
        self._keys: dict[str, WorkspaceKey] = {}

    def key_of(self, uid: str) -> WorkspaceKey | None:
        """Namespace and name of the Workspace with this UID; None if it was not seen yet or is gone."""
        return self._keys.get(uid)

    def is_deleting(self, uid: str) -> bool:
        """Whether its workflow knows that it is being deleted, so that its objects go as they should."""
        return uid in self._sent and self._sent[uid].deleting

    def change_of(self, seen: EventType, item: Object) -> Changed | None:
        """Returns the message to send, None if nothing relevant changed. First sight in a list requests a resync.

        The end of a delete is no news: its workflow, which removed the finalizer, is about to end.
        """
        message = message_of(seen, item)
        if seen is EventType.GONE:
            known = self.is_deleting(message.uid)
            self._sent.pop(message.uid, None)
            self._keys.pop(message.uid, None)
            return None if known else message
        self._keys[message.uid] = WorkspaceKey(item["metadata"]["namespace"], item["metadata"]["name"])
        if self._sent.get(message.uid) == message:
            return None
        resync = message.uid not in self._sent and seen is EventType.LISTED
        self._sent[message.uid] = message
        return message.model_copy(update={"resync": resync, "sighting": sighting_of(item)})


class OwnedMemory:
    """Whether each owned object was healthy when it was last seen, and with which digests it was ever seen."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[bool, tuple[str, ...]]] = {}

    def became_unhealthy(self, seen: EventType, item: Object) -> bool:
        """Whether a healthy object became unhealthy or was deleted.

        Becoming healthy does not count: the workflow waits for that itself, also after it has applied another digest.
        A digest of before counts: a rollback by hand brings it back. An object that is unhealthy at first sight in a
        list counts, as its change may have been missed.
        """
        uid, digest = item["metadata"]["uid"], _digest(item)
        before, known = self._seen.pop(uid, (seen is EventType.LISTED, (digest,)))
        if seen is EventType.GONE:
            return before
        healthy = in_order(item)
        self._seen[uid] = healthy, known if digest in known else (*known, digest)[-DIGESTS_KEPT:]
        return before and not healthy and digest in known


def message_of(seen: EventType, item: Object) -> Changed:
    """Builds the message: identity, generation, deletion and annotations of a Workspace, never its spec."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    return Changed(
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        deleting=seen is EventType.GONE or "deletionTimestamp" in metadata,
        gone=seen is EventType.GONE,
        retry=labels.retry_token(annotations),
        paused=labels.is_paused(annotations),
    )


def sighting_of(item: Object) -> Sighting | None:
    """Returns what lets the writer of the status do without a read of the Workspace."""
    return Sighting.of(item) if item["metadata"].get("resourceVersion") else None


def in_order(item: Object) -> bool:
    """Whether an object is healthy: a Deployment whose pods are new and ready, a Ready Node, others unless deleted."""
    if "deletionTimestamp" in item["metadata"]:
        return False
    status, spec = item.get("status", {}), item.get("spec", {})
    if "replicas" in spec:
        current = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
        counts = (status.get("updatedReplicas", 0), status.get("readyReplicas", 0))
        return bool(current and min(counts) >= spec["replicas"])
    for condition in status.get("conditions") or []:
        if condition["type"] == "Ready":
            return bool(condition["status"] == "True")
    return True


def owners_of(item: Object, workspaces: WorkspaceMemory) -> list[tuple[WorkspaceKey, str]]:
    """Returns (namespace and name, UID) of every Workspace that an object concerns: those that were seen as Workspaces,
    never those that an object only speaks of.

    A Workspace that was not seen yet is skipped; its first event triggers a resync. One that is being deleted is not
    affected.
    """
    found = [(workspaces.key_of(uid), uid) for uid in _uids_of(item)]
    known = [(key, uid) for key, uid in found if key is not None and _may_speak_of(key, item)]
    return [(key, uid) for key, uid in known if not workspaces.is_deleting(uid)]


def _uids_of(item: Object) -> list[str]:
    """The UIDs that an object speaks of. Tenants write Deployments: only the controller counts that Kubernetes' garbage
    collector follows. Nodes have labels alone: of the Workspace that bought them, and of each reservation."""
    metadata = item["metadata"]
    if "namespace" in metadata:
        owners = metadata.get("ownerReferences") or []
        return [owner["uid"] for owner in owners if owner.get("controller") and _is_workspace(owner)]
    bought_by = (metadata.get("labels") or {}).get(labels.WORKSPACE_UID)
    return [*([bought_by] if bought_by else []), *reservations_of(item)]


def _is_workspace(owner: Object) -> bool:
    return owner.get("kind") == labels.KIND and str(owner.get("apiVersion")).startswith(f"{labels.GROUP}/")


def _may_speak_of(key: WorkspaceKey, item: Object) -> bool:
    """An object of a namespace says nothing about another one's Workspace, and names its owner as it is."""
    metadata = item["metadata"]
    named = {owner.get("name") for owner in metadata.get("ownerReferences") or [] if _is_workspace(owner)}
    return "namespace" not in metadata or (metadata["namespace"] == key.namespace and key.name in named)


def _digest(item: Object) -> str:
    return str((item["metadata"].get("annotations") or {}).get(labels.CONFIG_HASH, ""))


_METADATA: Final = ("uid", "name", "namespace", "generation", "deletionTimestamp", "resourceVersion")
_ANNOTATIONS: Final = (labels.RETRY, labels.PAUSED)
_STATUS: Final = ("observedGeneration", "updatedReplicas", "readyReplicas", "conditions")


def trim(item: Object) -> Object:
    """Returns only the fields used here: a cluster has thousands of nodes, and each is kept in memory."""
    metadata = item["metadata"]
    kept = (*_METADATA, "labels", "annotations", "ownerReferences")
    status, spec = item.get("status", {}), item.get("spec", {})
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {key: spec[key] for key in ("replicas",) if key in spec},
        "status": {key: status[key] for key in _STATUS if key in status},
    }


def trim_workspace(item: Object) -> Object:
    """Returns only what a message is made of: a Workspace may hold a megabyte that its author chose, and each
    is kept in memory."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    told = {key: annotations[key] for key in _ANNOTATIONS if key in annotations}
    if labels.RETRY in told:
        told[labels.RETRY] = labels.retry_token(annotations)
    revision = (item.get("status") or {}).get("revision")
    return {
        "metadata": {key: metadata[key] for key in _METADATA if key in metadata} | {"annotations": told},
        "status": {} if revision is None else {"revision": revision},
    }
