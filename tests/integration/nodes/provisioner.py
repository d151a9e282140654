"""Behaves towards the API server as gpu-provisioner and Karpenter do; the machines are Node objects.

A claim gets the termination finalizer, is launched, registered, initialized; on delete its Node goes first and the
finalizer last. What can go wrong is set on the object: `refusal` (gpu-provisioner: the condition says why, for ever),
`withdrawal` (Karpenter: an event says why and the claim is deleted), `stuck` (nothing is ever taken back).
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import EventType, follow
from activities.contract.payloads import WorkspaceKey
from api import labels

FINALIZER: Final = "karpenter.sh/termination"
_MERGE: Final = "application/merge-patch+json"


class Provisioner:
    """One task per claim that comes or goes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._tasks: dict[tuple[str, bool], asyncio.Task[None]] = {}
        self.bought: list[str] = []
        self.troubles: list[Exception] = []
        self.refusal = ""
        self.withdrawal = ""
        self.stuck = False
        self.may_launch = asyncio.Event()
        self.may_launch.set()
        self.saw_claim = asyncio.Event()

    async def run(self) -> None:
        """Follows all claims until cancelled."""
        try:
            await follow(self._cluster, "NodeClaim", self._seen)
        finally:
            for task in self._tasks.values():
                task.cancel()
            ends = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self.troubles = [end for end in ends if isinstance(end, Exception)]

    async def _seen(self, seen: EventType, claim: Object) -> None:
        if seen is EventType.GONE:
            return
        leaving = "deletionTimestamp" in claim["metadata"]
        key = (claim["metadata"]["uid"], leaving)
        if leaving and (coming := self._tasks.get((key[0], False))):
            coming.cancel()
        if key not in self._tasks:
            work: Coroutine[Any, Any, None] = self._take_back(claim) if leaving else self._fulfil(claim)
            self._tasks[key] = asyncio.create_task(work)
        self.saw_claim.set()

    async def _fulfil(self, claim: Object) -> None:
        name = claim["metadata"]["name"]
        if FINALIZER not in (claim["metadata"].get("finalizers") or []):
            await self._merge(path_of("NodeClaim", None, name), {"metadata": {"finalizers": [FINALIZER]}})
        await self._conditions(
            name, Launched=("Unknown", "AwaitingReconciliation", "object is awaiting reconciliation")
        )
        await self.may_launch.wait()
        if self.refusal:
            await self._conditions(name, Launched=("Unknown", "LaunchFailed", self.refusal))
        elif self.withdrawal:
            await self._event(name)
            await delete(self._cluster, "NodeClaim", name)
        else:
            self.bought.append(name)
            await self.launch(claim)

    async def launch(self, claim: Object) -> None:
        """The machine comes up and registers."""
        name, launched = claim["metadata"]["name"], ("True", "Launched", "")
        await self._conditions(name, Launched=launched)
        node = f"node-{name}"
        await self.start_machine(node, claim["metadata"]["labels"])
        registered = launched[0], "Registered", ""
        await self._conditions(name, Launched=launched, Registered=registered)
        done = {stage: ("True", stage, "") for stage in ("Launched", "Registered", "Initialized", "Ready")}
        await self._conditions(name, node=node, **done)

    async def _take_back(self, claim: Object) -> None:
        if self.stuck:
            return
        name = claim["metadata"]["name"]
        await self.end_machine(f"node-{name}")
        try:
            await self._merge(path_of("NodeClaim", None, name), {"metadata": {"finalizers": None}})
        except ApiException as error:
            if error.status != 404:
                raise

    async def start_machine(self, name: str, labels_: dict[str, str]) -> None:
        """Its Node appears."""
        await self._cluster.create("Node", node_object(name, labels_=labels_))

    async def end_machine(self, name: str) -> None:
        """Its Node goes."""
        await delete(self._cluster, "Node", name)

    def unstick(self) -> None:
        """Goes on with what it had left lying about."""
        self.stuck = False
        for uid, leaving in list(self._tasks):
            if leaving:
                del self._tasks[uid, leaving]

    async def _conditions(self, name: str, node: str = "", **conditions: tuple[str, str, str]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        listed = [
            {"type": type_, "status": status, "reason": reason, "message": message or reason, "lastTransitionTime": now}
            for type_, (status, reason, message) in conditions.items()
        ]
        status = {"conditions": listed} | ({"nodeName": node, "providerID": f"azure:///{node}"} if node else {})
        await self._merge(path_of("NodeClaim", None, name) + "/status", {"status": status})

    async def _event(self, name: str) -> None:
        event = {
            "metadata": {"name": f"{name}.{len(self._tasks)}", "namespace": "default"},
            "involvedObject": {"kind": "NodeClaim", "name": name, "apiVersion": "karpenter.sh/v1"},
            "type": "Warning",
            "reason": "InsufficientCapacityError",
            "message": self.withdrawal,
            "lastTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        await self._cluster.create("Event", event)

    async def _merge(self, path: str, body: Object) -> None:
        await self._cluster.request("PATCH", path, body=body, content_type=_MERGE)


async def delete(cluster: Cluster, kind: str, name: str, namespace: str | None = None) -> None:
    """In the background: no garbage collector runs here that would end a delete in the foreground."""
    body = {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
    try:
        await cluster.request("DELETE", path_of(kind, namespace, name), body=body)
    except ApiException as error:
        if error.status != 404:
            raise


def kaito_pool(key: WorkspaceKey) -> Object:
    """What KAITO with Karpenter makes for a Workspace; nothing fulfils it here."""
    own = {labels.KAITO_POOL_WORKSPACE: key.name, labels.KAITO_POOL_NAMESPACE: key.namespace}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": f"{key.namespace}-{key.name}", "labels": {labels.KAITO_MANAGED_BY: "kaito"}},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": own}, "spec": {}}},
    }


def node_object(name: str, *, labels_: dict[str, str], gpus: int = 1) -> Object:
    """A Node that is Ready and offers GPUs."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    amounts = {"cpu": "24", "memory": "220Gi", "pods": "110", labels.GPU_RESOURCE: str(gpus)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": now}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels_}},
        "spec": {"providerID": f"azure:///{name}"},
        "status": {"allocatable": amounts, "capacity": amounts, "conditions": [ready | {"message": "is ready"}]},
    }
