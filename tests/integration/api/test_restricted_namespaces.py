"""A namespace that enforces Pod Security `restricted`, on a real API server: it admits every pod that is made for a
Workspace, and refuses what `testing/pods/restricted.py` refuses.

Nothing runs: pods are created by dry run.
"""

import copy
from typing import Any, Final

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from deploy.local.cluster import owner_client
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.kubernetes.binaries import require_binaries
from deploy.local.layout import Layout
from testing.pods.restricted import violations
from testing.pods.shapes import shapes

NAMESPACE: Final = "restricted-pods"
JSON: Final = "application/json"
SHAPES: Final = shapes()


@pytest.fixture(scope="module")
def namespace(api_server: Layout) -> None:
    if (minor := require_binaries(api_server).minor) < MINIMUM_MINOR:
        pytest.skip(f"the standard is that of Kubernetes 1.{MINIMUM_MINOR} and later, and this one is 1.{minor}")
    metadata = {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    owner_client.request(api_server, "POST", "/api/v1/namespaces", {"metadata": metadata}, JSON)
    account = {"metadata": {"name": "default"}}  # by a controller, elsewhere
    owner_client.request(api_server, "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account, JSON)


@pytest.fixture
def cluster(admin: Cluster, namespace: None) -> Cluster:
    return admin


async def created(cluster: Cluster, pod: Object) -> str:
    """Why the API server refuses the pod; "" if it admits it."""
    body = {"kind": "Pod", "metadata": {"name": "w"}, "spec": pod}
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        await cluster.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", query=query, body=body)
    except ApiException as refused:
        return str(refused.body)
    return ""


async def test_every_pod_of_a_workspace_is_admitted(cluster: Cluster) -> None:
    refused = {name: said for name, pod in SHAPES.items() if (said := await created(cluster, pod))}
    assert refused == {}


@pytest.mark.parametrize(
    "change",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
        {"securityContext": {}},
        {"securityContext": {"runAsNonRoot": True}},
        {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Unconfined"}}},
    ],
    ids=str,
)
async def test_what_a_pod_may_not_have_is_refused_by_both(cluster: Cluster, change: dict[str, Any]) -> None:
    pod = plain() | change
    assert "violates PodSecurity" in await created(cluster, pod)
    assert violations(pod)


@pytest.mark.parametrize(
    "change",
    [
        {"privileged": True, "allowPrivilegeEscalation": True},
        {"allowPrivilegeEscalation": None},
        {"capabilities": {"drop": ["NET_RAW"]}},
        {"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}},
        {"runAsNonRoot": False},
        {"runAsUser": 0},
        {"seccompProfile": {"type": "Unconfined"}},
    ],
    ids=str,
)
async def test_what_a_container_may_not_have_is_refused_by_both(cluster: Cluster, change: dict[str, Any]) -> None:
    pod = plain()
    pod["containers"][0]["securityContext"] |= change
    assert "violates PodSecurity" in await created(cluster, pod)
    assert violations(pod)


def plain() -> Object:
    """A pod of one container without volumes, admitted by both."""
    pod = copy.deepcopy(SHAPES["preset"])
    container = pod["containers"][0] | {"volumeMounts": []}
    found: Object = pod | {"containers": [container], "volumes": []}
    assert violations(found) == []
    return found
