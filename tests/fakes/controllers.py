"""The controllers of pods, as Kubernetes makes them: a ReplicaSet for a Deployment, and what a pod says of its own."""

from activities.clients.kubernetes import Object
from activities.contract.payloads import WorkspaceKey
from api import names

DEPLOYMENT_UID = "uid-of-the-deployment"


def workspaces(key: WorkspaceKey) -> list[Object]:
    """The references of what the Workspace owns."""
    return [{"kind": "Workspace", "name": key.name, "uid": key.uid, "controller": True}]


def replica_set(key: WorkspaceKey, deployment: str = DEPLOYMENT_UID) -> Object:
    """Of the Workspace's Deployment with this uid."""
    owner = {"kind": "Deployment", "name": names.workload(key.name), "uid": deployment, "controller": True}
    name = f"{names.workload(key.name)}-5d4f8"
    return {"metadata": {"name": name, "namespace": key.namespace, "uid": f"uid-of-{name}", "ownerReferences": [owner]}}


def deployment(key: WorkspaceKey, uid: str = DEPLOYMENT_UID) -> Object:
    """The Workspace's own."""
    name = names.workload(key.name)
    return {"metadata": {"name": name, "namespace": key.namespace, "uid": uid, "ownerReferences": workspaces(key)}}


def controlled(pod: Object, kind: str, controller: Object) -> Object:
    """The pod as this controller has made it."""
    metadata = controller["metadata"]
    owner = {"kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}
    return pod | {"metadata": pod["metadata"] | {"ownerReferences": [owner]}}
