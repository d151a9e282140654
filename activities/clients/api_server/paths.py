"""Where the Kubernetes API keeps each kind of object, and what a path is called in metrics. Sends nothing.

Names and namespaces become part of a path only if Kubernetes allows them: `..` in one would lead to another object, of
another namespace or kind. Whether it is there is the API server's to say.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from api.names import is_label, is_subdomain

PATHS: Final[Mapping[str, str]] = {
    "Workspace": "/apis/kaito.sh/v1beta1/{scope}workspaces",
    "Deployment": "/apis/apps/v1/{scope}deployments",
    "DaemonSet": "/apis/apps/v1/{scope}daemonsets",
    "ReplicaSet": "/apis/apps/v1/{scope}replicasets",
    "ControllerRevision": "/apis/apps/v1/{scope}controllerrevisions",
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
    "NodePool": "/apis/karpenter.sh/v1/nodepools",
    "ClusterPolicy": "/apis/nvidia.com/v1/clusterpolicies",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "Lease": "/apis/coordination.k8s.io/v1/{scope}leases",
    "Event": "/api/v1/{scope}events",
}

DELETED_LAST: Final = ("Job", "NodePool")
"""Kinds that are deleted in the foreground: the object stays until its pods, or its NodeClaims, are gone, and says so
long that they are not. Pods of other kinds are waited for by their own label: they go as surely after their owner, with
fewer requests of the garbage collector, whose requests a second are what a release of hundreds waits for
(docs/performance.md)."""


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


class NameRefused(ValueError):
    """No object and no namespace can have this name, so nothing was asked. The message says how names are written."""


def path_of(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """Returns the URL path of a kind's collection or of one object. Raises NameRefused for what is no RFC 1123 name,
    and KeyError for a kind that is not in PATHS."""
    scope = f"namespaces/{_namespace(namespace)}/" if namespace else ""
    return PATHS[kind].format(scope=scope) + (f"/{_name(kind, name)}" if name is not None else "")


def pod_proxy_path(namespace: str, pod: str, port: int, path: str) -> str:
    """Returns the path by which the API server asks a pod for `path`, which is ours and begins with a slash. Raises
    NameRefused."""
    return f"{path_of('Pod', namespace, pod)}:{int(port)}/proxy{path}"


def _namespace(namespace: str) -> str:
    if not is_label(namespace):
        raise NameRefused(f"a namespace has lower-case letters, digits and '-', at most 63, not {_shown(namespace)}")
    return quote(namespace, safe="")


def _name(kind: str, name: str) -> str:
    if not is_subdomain(name):
        what = "lower-case letters, digits, '-' and '.', at most 253"
        raise NameRefused(f"the name of a {kind} has {what}, not {_shown(name)}")
    return quote(name, safe="")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
