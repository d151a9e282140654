"""A real kube-apiserver on loopback with the CRDs; activities run under the worker's identity, with its rights only."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster
from activities.contract.payloads import WorkspaceKey
from deploy.local.cluster.resources import ensure_claim_crds
from deploy.local.layout import Layout
from testing.api_server import ensure_installed
from testing.workspaces import workspace
from tests.integration.nodes.provisioner import Provisioner, delete, node_object


@pytest.fixture(scope="package")
def api_server(shared_api_server: Layout) -> Layout:
    layout = shared_api_server
    ensure_installed(layout)
    ensure_claim_crds(layout.admin_kubeconfig, layout.logs / "installed.log")
    return layout


@pytest.fixture
def cluster(worker: Cluster) -> Cluster:
    """As the worker sees it."""
    return worker


@pytest.fixture
async def provisioner(admin: Cluster) -> AsyncIterator[Provisioner]:
    """Runs during the test; claims and Nodes that the test leaves are removed."""
    provisioner = Provisioner(admin)
    running = asyncio.create_task(provisioner.run())
    yield provisioner
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await _sweep(admin)
    assert [f"{trouble}" for trouble in provisioner.troubles] == []


class Bench:
    """What a test has of its own: Workspaces, and Nodes that only it matches."""

    def __init__(self, admin: Cluster) -> None:
        self.admin = admin
        self.match = {"apps": f"t-{os.urandom(4).hex()}"}

    async def workspace(self) -> WorkspaceKey:
        made = await self.admin.create("Workspace", workspace(f"w-{os.urandom(4).hex()}"))
        metadata = made["metadata"]
        return WorkspaceKey(namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"])

    async def node(self, name: str, *, gpus: int = 1) -> str:
        """A Node of somebody's, as it is after its kubelet and the node controller are done."""
        name = f"{name}-{self.match['apps']}"
        await self.admin.create("Node", node_object(name, labels_=self.match, gpus=gpus))
        await self.admin.patch("Node", name, None, [{"op": "add", "path": "/spec/taints", "value": []}])
        return name

    async def pod(self, name: str, node: str, *, gpus: int = 1) -> None:
        """Somebody's pod, bound to a node."""
        amount = {"nvidia.com/gpu": str(gpus)}
        container = {"name": "c", "image": "x", "resources": {"requests": amount, "limits": amount}}
        spec = {"nodeName": node, "containers": [container], "automountServiceAccountToken": False}
        await self.admin.create("Pod", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def remove_pod(self, name: str) -> None:
        await delete(self.admin, "Pod", name, "default")


@pytest.fixture
async def bench(admin: Cluster) -> AsyncIterator[Bench]:
    await _ensure_service_account(admin)
    made = Bench(admin)
    yield made
    pods, _ = await admin.list_all("Pod", "default")
    for pod in pods:
        await made.remove_pod(pod["metadata"]["name"])
    await _sweep(admin)


async def _sweep(admin: Cluster) -> None:
    claims, _ = await admin.list_all("NodeClaim")
    for claim in claims:
        name = claim["metadata"]["name"]
        await delete(admin, "NodeClaim", name)
        if claim["metadata"].get("finalizers"):
            await admin.patch("NodeClaim", name, None, [{"op": "remove", "path": "/metadata/finalizers"}])
    for kind in ("Node", "Workspace"):
        items, _ = await admin.list_all(kind)
        for item in items:
            await delete(admin, kind, item["metadata"]["name"], item["metadata"].get("namespace"))


async def _ensure_service_account(admin: Cluster) -> None:
    """A controller makes it in a whole cluster; pods are refused without."""
    try:
        await admin.request(
            "POST", "/api/v1/namespaces/default/serviceaccounts", body={"metadata": {"name": "default"}}
        )
    except ApiException as error:
        if error.status != 409:
            raise
