"""Which pods are a Workspace's own: followed by uid from the pod to its controller, and from there to the Workspace.

Labels say what to look at and prove nothing: whoever may make pods may write any. An owner is read once, as its uid and
what owns it do not change. What a pod is waited or asked for is decided by those who call.
"""

from collections import OrderedDict
from typing import Final

from activities.clients.kubernetes import Cluster, Object
from activities.clients.ownership import owned
from activities.clients.watch import Collection
from activities.contract.payloads import WorkspaceKey

REMEMBERED: Final = 20_000
"""Controllers whose Workspace is remembered, a hundred bytes each; each life has some."""
_OVER: Final = {"ReplicaSet": "Deployment"}
"""Kinds of controllers that have one of their own before the Workspace."""
_CONTROLLERS: Final = ("ReplicaSet", "Job")


class PodOwners:
    """Reads controllers, each once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._whose: OrderedDict[str, bool] = OrderedDict()

    async def own(self, pods: Collection, key: WorkspaceKey, *, workload: str = "") -> Collection:
        """Returns those of the Workspace. `workload`: the uid of its Deployment, which need not be read then. Raises
        ApiException."""
        return {name: pod for name, pod in pods.items() if await self._is_own(pod, key, workload)}

    async def _is_own(self, pod: Object, key: WorkspaceKey, workload: str) -> bool:
        controller = controller_of(pod)
        if controller is None or controller["kind"] not in _CONTROLLERS:
            return False
        uid = f"{key.uid}/{controller['uid']}"
        if uid not in self._whose:
            self._whose[uid] = await self._leads_to(controller, key, workload)
            if len(self._whose) > REMEMBERED:
                self._whose.popitem(last=False)
        return self._whose[uid]

    async def _leads_to(self, owner: Object, key: WorkspaceKey, workload: str) -> bool:
        """Whether an owner is there, as the very object that its uid says, and the Workspace owns it in the end."""
        found = await self._cluster.get(owner["kind"], owner["name"], key.namespace)
        if found is None or found["metadata"]["uid"] != owner["uid"]:
            return False
        if owner["kind"] not in _OVER:
            return owned(found, key)
        above = controller_of(found)
        if above is None or above["kind"] != _OVER[owner["kind"]]:
            return False
        return above["uid"] == workload or await self._leads_to(above, key, workload)


def controller_of(item: Object) -> Object | None:
    """The owner that controls the object: its reference, with kind, name and uid."""
    owners = item["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def is_of_workload(pod: Object, workload: str) -> bool:
    """Whether a ReplicaSet of this Deployment controls the pod, by its name, as it may be gone already. What names a
    controller that is not there is collected by Kubernetes."""
    controller = controller_of(pod) or {}
    return controller.get("kind") == "ReplicaSet" and str(controller["name"]).rpartition("-")[0] == workload


def is_of_job(pod: Object, job: str) -> bool:
    """Whether a Job of this name controls the pod; one of an earlier uid may still have a pod that ends."""
    controller = controller_of(pod) or {}
    return controller.get("kind") == "Job" and controller["name"] == job
