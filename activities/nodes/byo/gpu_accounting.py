"""Computes which GPUs of existing nodes are free, and which nodes a Workspace should use. Pure functions.

Free are a node's GPUs less those that others use: all pods that are bound to it and have not ended, and the
reservations of other Workspaces. A Workspace's own pods count within its reservation, never in addition.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from activities.clients.kubernetes import Object
from activities.nodes.readiness import gpus_of, is_ready, what_is_counted
from activities.nodes.reservation_labels import reservations_of
from api import labels
from api.pods.template import gpus_requested

NODES_LISTED: Final = 5
_ENDED: Final = {"Succeeded", "Failed"}
_KEEPS_PODS_OUT: Final = {"NoSchedule", "NoExecute"}


@dataclass(frozen=True)
class GpuPod:
    """A pod that holds GPUs of a node: how many, by resource. `workspace` is the uid of the Workspace that it serves,
    or ""."""

    namespace: str
    name: str
    node: str
    held: Mapping[str, int]
    workspace: str = ""


@dataclass(frozen=True)
class NodeUse:
    """One node that the labels match, and its GPUs of one resource: whole ones, or slices of one size. `blocked` is why
    none of our pods could start there, or ""."""

    name: str
    offered: int
    reserved: Mapping[str, int]
    pods: tuple[GpuPod, ...] = ()
    blocked: str = ""
    resource: str = labels.GPU_RESOURCE

    def used_by_others(self, uid: str) -> int:
        """GPUs in use or reserved: for each other Workspace the larger of both, plus the requests of other pods."""
        running = Counter[str]()
        for pod in self.pods:
            running[pod.workspace] += pod.held.get(self.resource, 0)
        strangers = running.pop("", 0)
        holders = (running.keys() | self.reserved.keys()) - {uid}
        return strangers + sum(max(running[holder], self.reserved.get(holder, 0)) for holder in holders)

    def free_for(self, uid: str) -> int:
        """GPUs that this Workspace can use here, including those that it has."""
        return 0 if self.blocked else max(0, self.offered - self.used_by_others(uid))

    def runs_pods_of(self, uid: str) -> bool:
        """Whether pods of the Workspace use GPUs here now."""
        return any(pod.workspace == uid for pod in self.pods)


def gpu_pod(pod: Object) -> GpuPod | None:
    """Returns the pod's GPU use; None if it holds none: not bound to a node, ended, or without a request."""
    node, phase = pod["spec"].get("nodeName"), (pod.get("status") or {}).get("phase")
    held = gpus_requested(pod["spec"])
    if not node or phase in _ENDED or not held:
        return None
    metadata = pod["metadata"]
    workspace = (metadata.get("labels") or {}).get(labels.WORKSPACE_UID, "")
    return GpuPod(metadata["namespace"], metadata["name"], node, held, workspace)


def kept_gpu_pod(pod: Object) -> Object | None:
    """Returns the least of which `gpu_pod` says the same, so that a view keeps no more; None where it says None."""
    use = gpu_pod(pod)
    if use is None:
        return None
    metadata = {"name": use.name, "namespace": use.namespace, "uid": pod["metadata"]["uid"]}
    resources = {"requests": dict(use.held)}
    return {
        "metadata": metadata | ({"labels": {labels.WORKSPACE_UID: use.workspace}} if use.workspace else {}),
        "spec": {"nodeName": use.node, "containers": [{"resources": resources}]},
    }


def uses_of(nodes: Mapping[str, Object], pods: Iterable[GpuPod], resource: str = labels.GPU_RESOURCE) -> list[NodeUse]:
    """One entry per node, by name; what is offered, reserved and used of `resource`."""
    placed: dict[str, list[GpuPod]] = {}
    for pod in pods:
        placed.setdefault(pod.node, []).append(pod)
    return [
        NodeUse(
            name,
            gpus_of(node, resource),
            reservations_of(node, resource),
            tuple(placed.get(name, ())),
            blocked(node, resource),
            resource,
        )
        for name, node in sorted(nodes.items())
    ]


def blocked(node: Object, resource: str = labels.GPU_RESOURCE) -> str:
    """Why our pods, which ask for `resource`, could not start on this node, regardless of free GPUs; "" if they
    could."""
    spec = node.get("spec") or {}
    if "deletionTimestamp" in node["metadata"]:
        return "is being removed"
    if labels.WORKSPACE_UID in (node["metadata"].get("labels") or {}):
        return "was bought for a Workspace"  # whose author chose its other labels
    if not is_ready(node):
        return "is not Ready"
    for taint in spec.get("taints") or []:
        if taint.get("effect") in _KEEPS_PODS_OUT and not _tolerated(taint, resource):
            return f"has the taint {taint['key']}={taint.get('value', '')}:{taint['effect']}"
    return "is cordoned" if spec.get("unschedulable") else ""


def _tolerated(taint: Mapping[str, str], resource: str) -> bool:
    """Matches the tolerations of our pods (activities/manifests/serving.py)."""
    if taint["effect"] != "NoSchedule":
        return False
    if taint["key"] == labels.GPU_TAINT_KEY:
        return taint.get("value") == labels.GPU_TAINT_VALUE
    return taint["key"] in (labels.GPU_RESOURCE, labels.SPOT_TAINT_KEY, resource)


def pick(uses: Iterable[NodeUse], uid: str, *, gpus: int, count: int) -> list[str]:
    """Returns up to `count` nodes with `gpus` free each, without GPUs any where a pod can start. Nodes in use by the
    Workspace first, then the tightest fit."""
    able = [use for use in uses if not use.blocked and use.free_for(uid) >= gpus]
    able.sort(key=lambda use: (not use.runs_pods_of(uid), uid not in use.reserved, use.free_for(uid), use.name))
    return [use.name for use in able[:count]]


def shortage(
    uses: list[NodeUse],
    uid: str,
    *,
    gpus: int,
    count: int,
    match_labels: Mapping[str, str],
    resource: str = labels.GPU_RESOURCE,
) -> str:
    """`0 of 2 matching nodes have a free GPU, 1 is needed: gpu-1 uses 1 of 1 (default/other-pod), ...`."""
    wanted = f"have {_wanted(gpus, resource)}" if gpus else "can take its pods"
    if not uses:
        selector = ",".join(f"{key}={value}" for key, value in sorted(match_labels.items()))
        return f"no node has the labels {selector}. {advice(match_labels)}"
    able = pick(uses, uid, gpus=gpus, count=len(uses))
    short = [_state_of(use, uid) for use in uses if use.name not in able]
    more = f", and {len(short) - NODES_LISTED} more" if len(short) > NODES_LISTED else ""
    needed = f"{count} {'is' if count == 1 else 'are'} needed"
    listed = ", ".join(short[:NODES_LISTED]) + more
    return f"{len(able)} of {len(uses)} matching nodes {wanted}, {needed}" + (f": {listed}" if listed else "")


def advice(match_labels: Mapping[str, str]) -> str:
    """What to do where no node has these labels: write them, but for those that clusters and their programs write."""
    theirs = sorted(key for key in match_labels if labels.set_by_clusters(key))
    own = [f"{key}={value}" for key, value in sorted(match_labels.items()) if key not in theirs]
    write = [f"Label one: kubectl label node NAME {' '.join(own)}"] if own else []
    look = [f"See which there are: kubectl get nodes -L {','.join(theirs)}"] if theirs else []
    return ". ".join([*write, *look])


def _wanted(gpus: int, resource: str) -> str:
    return f"{'a' if gpus == 1 else gpus} free {what_is_counted(resource, gpus)}"


def _state_of(use: NodeUse, uid: str) -> str:
    if use.blocked:
        return f"{use.name} {use.blocked}"
    if not use.offered:
        return f"{use.name} offers no {what_is_counted(use.resource, 1)} (does the device plugin run there?)"
    pods = [f"{pod.namespace}/{pod.name}" for pod in use.pods if pod.workspace != uid]
    starting = [holder for holder in use.reserved if holder != uid and not use.runs_pods_of(holder)]
    holders = ", ".join(pods + [f"reserved for the Workspace with uid {holder}" for holder in starting])
    return f"{use.name} uses {use.used_by_others(uid)} of {use.offered}" + (f" ({holders})" if holders else "")
