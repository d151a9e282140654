"""Which sightings of an object are worth a message to its workflow. Pure: remembers per uid what was said last.

Without this filter the workflow would hear the echo of every status it writes. What counts: a new generation, a
delete, a retry annotation, the first sight; and for owned objects, that they stopped being what they should be. What
happened while nobody watched is not known, so what a listing shows is looked into.
"""

from activities.clients.kubernetes import Object
from activities.clients.watch import EventType
from activities.nodes.reservations import reservations_of
from api import labels
from api.names import WorkspaceKey
from workflows.messages import Changed


class WorkspaceMemory:
    """What each Workspace's workflow was told last."""

    def __init__(self) -> None:
        self._told: dict[str, Changed] = {}
        self._keys: dict[str, WorkspaceKey] = {}

    def key_of(self, uid: str) -> WorkspaceKey | None:
        """Namespace and name of the Workspace of this uid; None for one that was not seen yet, or is gone."""
        return self._keys.get(uid)

    def change_of(self, seen: EventType, item: Object) -> Changed | None:
        """The message to send, or None for an echo. After a start everything is news, and worth a look."""
        message = message_of(seen, item)
        if seen is EventType.GONE:
            self._told.pop(message.uid, None)
            self._keys.pop(message.uid, None)
            return message
        self._keys[message.uid] = WorkspaceKey(item["metadata"]["namespace"], item["metadata"]["name"])
        if self._told.get(message.uid) == message:
            return None
        unheard_of = message.uid not in self._told
        self._told[message.uid] = message
        return message.model_copy(update={"resync": unheard_of and seen is EventType.LISTED})


class OwnedMemory:
    """Whether each object that belongs to a Workspace was in order when it was last seen."""

    def __init__(self) -> None:
        self._in_order: dict[str, bool] = {}

    def became_unhealthy(self, seen: EventType, item: Object) -> bool:
        """True when something that was in order is not any more; coming up is not news, the workflow waits for that.
        What is out of order in a listing may have broken unseen."""
        uid = item["metadata"]["uid"]
        before = self._in_order.pop(uid, seen is EventType.LISTED)
        if seen is EventType.GONE:
            return before
        self._in_order[uid] = in_order(item)
        return before and not self._in_order[uid]


def message_of(seen: EventType, item: Object) -> Changed:
    """Identity and generation of a Workspace, and nothing else of it."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    return Changed(
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        deleting=seen is EventType.GONE or "deletionTimestamp" in metadata,
        gone=seen is EventType.GONE,
        retry=annotations.get(labels.RETRY, ""),
        paused=labels.is_paused(annotations),
    )


def in_order(item: Object) -> bool:
    """A Deployment with all its pods ready, a Node that is Ready, anything else that is not being deleted."""
    if "deletionTimestamp" in item["metadata"]:
        return False
    status, spec = item.get("status", {}), item.get("spec", {})
    if "replicas" in spec:
        return bool(status.get("readyReplicas", 0) >= spec["replicas"])
    for condition in status.get("conditions") or []:
        if condition["type"] == "Ready":
            return bool(condition["status"] == "True")
    return True


def owner_of(item: Object) -> tuple[WorkspaceKey, str] | None:
    """(namespace and name, uid) of the Workspace that an object's labels name."""
    found = item["metadata"].get("labels") or {}
    name, namespace = found.get(labels.WORKSPACE), found.get(labels.WORKSPACE_NAMESPACE)
    uid = found.get(labels.WORKSPACE_UID)
    return (WorkspaceKey(namespace, name), uid) if name and namespace and uid else None


def owners_of(item: Object, workspaces: WorkspaceMemory) -> list[tuple[WorkspaceKey, str]]:
    """Every Workspace that an object matters to: its owner, and on a node of one's own each one with GPUs there.

    A reservation names a uid only. One that was not seen yet is looked into anyway when it is.
    """
    owner = owner_of(item)
    found = [owner] if owner else []
    for uid in reservations_of(item):
        key = workspaces.key_of(uid)
        if key is not None:
            found.append((key, uid))
    return found


def trim(item: Object) -> Object:
    """The little of an object that is judged here: a cluster has thousands of nodes, and each is remembered."""
    metadata = item["metadata"]
    kept = ("uid", "name", "namespace", "generation", "labels", "annotations", "deletionTimestamp", "resourceVersion")
    status, spec = item.get("status", {}), item.get("spec", {})
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {key: spec[key] for key in ("replicas",) if key in spec},
        "status": {key: status[key] for key in ("readyReplicas", "conditions") if key in status},
    }
