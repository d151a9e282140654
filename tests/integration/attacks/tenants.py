"""A tenant on a real API server: a Workspace, what controllers would make of it, and pods that answer as it likes.

No controller and no kubelet runs: what they would write is written here. Pods "run" on an address of this machine,
which the API server's proxy reaches.
"""

import os
import socket
from dataclasses import dataclass
from typing import Any, Final

import psutil
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import WorkloadRequest
from activities.serving.workloads import Workloads
from api import labels, names
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from testing.workspaces import workspace
from tests.builders import a_plan
from tests.integration.nodes.attempts import done

DIGEST: Final = "digest-1"
POD: Final = {"containers": [{"name": "serve", "image": "x"}], "automountServiceAccountToken": False}


def address_of_pods() -> str:
    """An address of this machine that the API server passes requests on to: not loopback, not link-local."""
    found = [one.address for each in psutil.net_if_addrs().values() for one in each if one.family == socket.AF_INET]
    usable = [address for address in found if not address.startswith(("127.", "169.254."))]
    assert usable, "this machine has no address but loopback: the API server's proxy refuses to reach pods there"
    return usable[0]


@dataclass(frozen=True)
class Tenant:
    """A namespace of its own; `admin` writes what tenant and controllers would."""

    admin: Cluster
    namespace: str

    @classmethod
    async def new(cls, admin: Cluster) -> "Tenant":
        namespace = f"tenant-{os.urandom(4).hex()}"
        await _ensure(admin, "/api/v1/namespaces", {"metadata": {"name": namespace}})
        account = {"metadata": {"name": "default"}}
        await _ensure(admin, f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
        return cls(admin, namespace)

    async def workspace(self, **sections: Any) -> WorkspaceKey:
        """Serves, unless other sections are given."""
        body = workspace(f"w-{os.urandom(4).hex()}") | sections
        body["metadata"] |= self._here()
        metadata = (await self.admin.create("Workspace", body))["metadata"]
        return WorkspaceKey(namespace=self.namespace, name=metadata["name"], uid=metadata["uid"])

    async def replica_set(self, key: WorkspaceKey, worker: Cluster) -> Object:
        """Of the Workspace's Deployment, which the worker makes."""
        plan = a_plan(key, digest=DIGEST, config_map="")
        workloads = Workloads(ClusterView(worker), IMAGES, first_pods=NO_CONTROLLER)
        made = await done(workloads.ensure_workload, WorkloadRequest(plan=plan, pinned=PINNED))
        owner = reference("apps/v1", "Deployment", names.workload(key.name), made.made["Deployment"])
        return await self.replica_set_of(f"{names.workload(key.name)}-5d4f8", owner)

    async def replica_set_of(self, name: str, *owners: Object) -> Object:
        metadata = {"name": name, "ownerReferences": list(owners)} | self._here()
        template = {"metadata": {"labels": {"of": name}}, "spec": POD}
        spec = {"replicas": 0, "selector": {"matchLabels": {"of": name}}, "template": template}
        return await self.admin.create("ReplicaSet", {"metadata": metadata, "spec": spec})

    async def pod(self, key: WorkspaceKey, *owners: Object, address: str = "10.255.0.1") -> str:
        """Ready, with all labels and annotations that the Workspace's own pods have."""
        own = {labels.WORKSPACE_UID: key.uid, labels.WORKSPACE: key.name}
        name = f"p-{os.urandom(4).hex()}"
        metadata: Object = {"name": name, "labels": own, "annotations": {labels.CONFIG_HASH: DIGEST}}
        metadata |= {"ownerReferences": list(owners)} | self._here()
        await self.admin.create("Pod", {"metadata": metadata, "spec": POD | {"nodeName": "nowhere"}})
        conditions = [{"type": "Ready", "status": "True"}]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
        await self.admin.merge("Pod", name, self.namespace, {"status": status}, subresource="status")
        return name

    async def secret(self, name: str, value: str) -> str:
        """Returns its path."""
        await self.admin.create("Secret", {"metadata": {"name": name} | self._here(), "stringData": {"value": value}})
        return path_of("Secret", self.namespace, name)

    def _here(self) -> dict[str, str]:
        return {"namespace": self.namespace}


def reference(version: str, kind: str, name: str, uid: str) -> Object:
    """An owner that controls."""
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}


def reference_to(replica_set: Object) -> Object:
    """The owner of a ReplicaSet's pods."""
    metadata = replica_set["metadata"]
    return reference("apps/v1", "ReplicaSet", metadata["name"], metadata["uid"])


async def _ensure(admin: Cluster, path: str, body: dict[str, Any]) -> None:
    try:
        await admin.request("POST", path, body=body)
    except ApiException as error:
        if error.status != 409:
            raise
