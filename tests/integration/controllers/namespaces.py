"""A namespace, what its owner sets up in it, and the Workspaces there."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from activities.clients.kubernetes import Cluster, Object
from activities.contract.payloads import WorkspaceKey
from testing.deadlines import PATIENCE_S
from testing.workspaces import workspace


@dataclass(frozen=True)
class Namespace:
    """`admin` writes as its owner."""

    admin: Cluster
    name: str

    @classmethod
    async def new(cls, admin: Cluster, name: str) -> "Namespace":
        """With the ServiceAccount that a controller makes."""
        await admin.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}/serviceaccounts"
        async with asyncio.timeout(PATIENCE_S):
            while not (await admin.request("GET", path))["items"]:
                await asyncio.sleep(0.1)
        return cls(admin, name)

    async def enforce(self, standard: str) -> None:
        """Pod Security."""
        change = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": standard}}}
        merge = "application/merge-patch+json"
        await self.admin.request("PATCH", f"/api/v1/namespaces/{self.name}", body=change, content_type=merge)

    async def quota(self, **hard: str) -> None:
        """Returns when the quota counts."""
        path = f"/api/v1/namespaces/{self.name}/resourcequotas"
        await self.admin.request("POST", path, body={"metadata": {"name": "small"}, "spec": {"hard": hard}})
        async with asyncio.timeout(PATIENCE_S):
            while "hard" not in (await self.admin.request("GET", f"{path}/small")).get("status", {}):
                await asyncio.sleep(0.1)

    async def limit_range(self, **most: str) -> None:
        """At most so much for each container."""
        path = f"/api/v1/namespaces/{self.name}/limitranges"
        limits = {"limits": [{"type": "Container", "max": most}]}
        await self.admin.request("POST", path, body={"metadata": {"name": "small"}, "spec": limits})

    async def workspace(self, **sections: Any) -> WorkspaceKey:
        body: Object = workspace(f"w-{os.urandom(4).hex()}") | sections
        body["metadata"] |= {"namespace": self.name}
        metadata = (await self.admin.create("Workspace", body))["metadata"]
        return WorkspaceKey(namespace=self.name, name=metadata["name"], uid=metadata["uid"])
