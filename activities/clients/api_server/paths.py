"""Where the Kubernetes API keeps each kind of object, and what a path is called in metrics. Sends nothing."""

from collections.abc import Mapping
from typing import Final

PATHS: Final[Mapping[str, str]] = {
    "Workspace": "/apis/kaito.sh/v1beta1/{scope}workspaces",
    "Deployment": "/apis/apps/v1/{scope}deployments",
    "StatefulSet": "/apis/apps/v1/{scope}statefulsets",
    "Job": "/apis/batch/v1/{scope}jobs",
    "PodDisruptionBudget": "/apis/policy/v1/{scope}poddisruptionbudgets",
    "PodDisruptionBudget/v1beta1": "/apis/policy/v1beta1/{scope}poddisruptionbudgets",
    "PersistentVolumeClaim": "/api/v1/{scope}persistentvolumeclaims",
    "Service": "/api/v1/{scope}services",
    "ConfigMap": "/api/v1/{scope}configmaps",
    "Secret": "/api/v1/{scope}secrets",
    "Pod": "/api/v1/{scope}pods",
    "Node": "/api/v1/nodes",
    "NodeClaim": "/apis/karpenter.sh/v1/nodeclaims",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "Lease": "/apis/coordination.k8s.io/v1/{scope}leases",
    "Event": "/api/v1/{scope}events",
}

DELETED_LAST: Final = ("Job",)
"""Kinds that are deleted in the foreground: the object stays until its pods are gone, and says so long that they are
not. Pods of other kinds are waited for by their own label: they go as surely after their owner, with fewer requests of
the garbage collector, whose requests a second are what a release of hundreds waits for (docs/performance.md)."""


def kind_of(path: str) -> str:
    """Returns the plural and subresource of a path, as a metric label: never a name, to bound the cardinality."""
    parts = path.strip("/").split("/")
    if parts[0] not in ("api", "apis"):
        return parts[0]
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if not parts:
        return "versions"  # of a group: a discovery request
    parts = parts[2:] if parts[0] == "namespaces" and len(parts) > 2 else parts
    return "/".join([parts[0], *parts[2:3]])


def path_of(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """Returns the URL path of a kind's collection or of one object. Raises KeyError for a kind that is not in PATHS."""
    scope = f"namespaces/{namespace}/" if namespace else ""
    return PATHS[kind].format(scope=scope) + (f"/{name}" if name else "")
