"""The calls for NodeClaims and their Nodes: create, adopt, delete, and wait until all are gone. Does not decide how
many there should be.

Deletes are in the background: Karpenter's own finalizer drains and terminates the machine, and a foreground delete
would require the Node to be gone before Karpenter handles the claim.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import Collection, observe
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.nodes.karpenter import node_claim
from activities.nodes.karpenter.node_claim import NodeClass
from api import labels


class Claims:
    """NodeClaims of one cluster."""

    def __init__(self, cluster: Cluster, node_class: NodeClass) -> None:
        self._cluster = cluster
        self._node_class = node_class

    async def listed(self, key: WorkspaceKey) -> list[Object]:
        """Returns the Workspace's claims; [] if the cluster has no CRD: Kubernetes removes it after its objects."""
        found = await found_of(self._cluster, "NodeClaim", node_claim.selector_of(key))
        return [claim for claim in found if node_claim.belongs_to(claim, key)]

    async def of_everyone(self) -> list[Object]:
        """Returns every claim that carries a Workspace's uid."""
        return await found_of(self._cluster, "NodeClaim", labels.WORKSPACE_UID)

    async def observed(self, key: WorkspaceKey, *, until: datetime) -> AsyncGenerator[Collection, None]:
        """Yields the claims now and after every change. Raises ApiServerRefused if the cluster has no NodeClaims."""
        try:
            async for claims in observe(self._cluster, "NodeClaim", selector=node_claim.selector_of(key), until=until):
                yield claims
        except ApiException as error:
            if error.status != 404:
                raise
            message = "the cluster has no NodeClaims (karpenter.sh/v1): install gpu-provisioner or Karpenter"
            raise failure("ApiServerRefused", f"{message}, or use another node provider") from None

    async def create(self, plan: Plan, name: str) -> None:
        """Creates a claim, or accepts one of ours of that name. Raises OwnershipConflict if another owner has the
        name."""
        try:
            await self._cluster.create("NodeClaim", node_claim.node_claim(plan, name, self._node_class))
        except ApiException as error:
            if error.status != 409:
                raise
            found = await self._cluster.get("NodeClaim", name)
            if found is not None and not node_claim.belongs_to(found, plan.key):
                message = (
                    f"NodeClaim {name} exists with another owner's labels: {found['metadata'].get('labels') or 'none'}"
                )
                raise failure("OwnershipConflict", f"{message}. Delete or rename it") from None

    async def adopt(self, claim: Object, key: WorkspaceKey) -> None:
        """Sets our uid on a claim of a previous controller; a claim that is gone meanwhile is not an error."""
        await self._stamp("NodeClaim", claim, {labels.WORKSPACE_UID: key.uid})

    async def delete(self, claim: Object) -> None:
        """Deletes the claim with this uid; another one of the same name is left alone."""
        await self._cluster.delete("NodeClaim", claim["metadata"]["name"], uid=claim["metadata"]["uid"])

    async def events(self, name: str) -> list[Object]:
        """Returns a claim's events, oldest first. Events of cluster-scoped objects are in namespace `default`."""
        fields = f"involvedObject.kind=NodeClaim,involvedObject.name={name}"
        page = await self._cluster.request("GET", path_of("Event", "default"), query={"fieldSelector": fields})
        return sorted(page.get("items") or [], key=lambda event: str(event.get("lastTimestamp") or ""))

    async def without_node(self, claims: list[Object], key: WorkspaceKey) -> list[Object]:
        """Returns the claims whose Node is gone. Labels existing Nodes so that their Workspace finds them."""
        nodes = await asyncio.gather(*(self._cluster.get("Node", node_claim.node_of(claim)) for claim in claims))
        own = labels.node_ownership(key.namespace, key.name, key.uid)
        own |= {labels.PLACEMENT: key.uid, labels.ACCELERATOR: labels.ACCELERATOR_NVIDIA}
        await asyncio.gather(*(self._stamp("Node", node, own) for node in nodes if node is not None))
        return [claim for claim, node in zip(claims, nodes, strict=True) if node is None]

    async def until_all_gone(self, key: WorkspaceKey, until: datetime, deleting: Callable[[], None]) -> bool:
        """Deletes claims until none is left and no Node of theirs; returns whether there was one. Calls `deleting`
        before the first delete. Raises CleanupBlocked that names what is left."""
        existed, deleted = False, set[str]()
        left: list[Object] = []
        if await self.listed(key):
            async for claims in self.observed(key, until=until):
                left = [claim for claim in claims.values() if node_claim.belongs_to(claim, key)]
                if not left:
                    break
                existed = True
                for claim in left:
                    if not node_claim.is_deleting(claim) and claim["metadata"]["uid"] not in deleted:
                        deleting()
                        deleted.add(claim["metadata"]["uid"])
                        await self.delete(claim)
        if left:
            raise blocked("NodeClaim", left, "Check that gpu-provisioner or Karpenter runs, and read its log")
        await self._until_no_nodes(key, until)
        return existed

    async def _until_no_nodes(self, key: WorkspaceKey, until: datetime) -> None:
        left: list[Object] = []
        async for nodes in observe(self._cluster, "Node", selector=node_claim.selector_of(key), until=until):
            left = [node for node in nodes.values() if node_claim.node_belongs_to(node, key)]
            if not left:
                return
        raise blocked("Node", left, "Its NodeClaim is gone: check that the machine is gone too, then delete the Node")

    async def _stamp(self, kind: str, item: Object, own: dict[str, str]) -> None:
        present = item["metadata"].get("labels") or {}
        missing = {name: value for name, value in own.items() if present.get(name) != value}
        if not missing:
            return
        same: Object = {"op": "test", "path": "/metadata/uid", "value": item["metadata"]["uid"]}
        adding: list[Any] = [
            {"op": "add", "path": "/metadata/labels/" + name.replace("/", "~1"), "value": value}
            for name, value in missing.items()
        ]
        try:
            await self._cluster.patch(kind, item["metadata"]["name"], None, [same, *adding])
        except ApiException as error:
            if error.status not in (404, 422):  # it is gone or has another uid: the watch reports it
                raise


async def found_of(cluster: Cluster, kind: str, selector: str) -> list[Object]:
    """Returns the objects of a kind of Karpenter's that the selector matches; [] if the cluster has no such kind."""
    try:
        found, _ = await cluster.list_all(kind, selector=selector)
    except ApiException as error:
        if error.status == 404:
            return []
        raise
    return found


def blocked(kind: str, left: list[Object], hint: str) -> Exception:
    """What could not be released, with the finalizers of each, and what to do."""
    listed = "; ".join(sorted(map(_held_by, left)))
    return failure("CleanupBlocked", f"{len(left)} {kind}s are left after their delete: {listed}. {hint}")


def _held_by(item: Object) -> str:
    metadata = item["metadata"]
    finalizers = ", ".join(metadata.get("finalizers") or []) or "none"
    node = node_claim.node_of(item)
    since = metadata.get("deletionTimestamp", "")
    return f"{metadata['name']} (finalizers: {finalizers}" + (f"; node {node}" if node else "") + f"; since {since})"
