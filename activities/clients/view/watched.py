"""What is kept of each kind that waits look at: only the fields that somebody reads, as all objects stay in memory.

`shared_watch.py` lists and watches each of these once per process. What the objects mean is decided by those who wait.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.clients.kubernetes import Object
from api import labels
from api.pods.amounts import is_gpu

_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp", "finalizers")
_OWN_LABELS: Final = (labels.WORKSPACE_UID, labels.COMPONENT)
_OWNER: Final = ("kind", "name", "uid", "controller")
_CONDITION: Final = ("type", "status", "reason", "message")
_POD_CONDITION: Final = (*_CONDITION, "lastTransitionTime")
_POD_CONDITIONS: Final = ("Ready", "PodScheduled")
_CONTAINERS: Final = ("initContainerStatuses", "containerStatuses")
_CONTAINER: Final = ("name", "image", "restartCount")
_STATES: Final = ("waiting", "running", "terminated")
_STATE: Final = ("reason", "message", "exitCode", "startedAt")


@dataclass(frozen=True)
class Watched:
    """One list and one watch: a kind, the label selector of its objects, and what is kept of each; None: nothing.

    `keep` of what it has returned is the same again.
    """

    kind: str
    selector: str
    keep: Callable[[Object], Object | None]


def kept_node(node: Object) -> Object:
    """All labels, because the user's nodes are selected by any of them; what a Node offers, and what keeps pods out."""
    status, spec = node.get("status") or {}, node.get("spec") or {}
    offered = {name: number for name, number in (status.get("allocatable") or {}).items() if is_gpu(name)}
    return {
        "metadata": _metadata(node) | {"labels": _shared_strings(node["metadata"].get("labels") or {})},
        "spec": _picked(spec, ("taints", "unschedulable")),
        "status": {
            "conditions": _conditions(status, ("Ready",), ("type", "status")),
            "allocatable": offered,
        },
    }


def kept_pod(pod: Object) -> Object:
    """For which Workspace, part and plan it runs, what controls it, where, and how its containers are."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    return {
        "metadata": _metadata(pod)
        | {
            "labels": _shared_strings(_picked(metadata.get("labels") or {}, _OWN_LABELS)),
            "annotations": _picked(metadata.get("annotations") or {}, (labels.CONFIG_HASH,)),
            "ownerReferences": [
                _picked(one, _OWNER) for one in metadata.get("ownerReferences") or [] if one.get("controller")
            ],
        },
        "spec": _picked(pod.get("spec") or {}, ("nodeName",)),
        "status": _picked(status, ("phase", "reason", "message"))
        | {"conditions": _conditions(status, _POD_CONDITIONS, _POD_CONDITION)}
        | {name: [_container(one) for one in status[name]] for name in _CONTAINERS if status.get(name)},
    }


def kept_job(job: Object) -> Object:
    """That it is there, and for which Workspace and part."""
    own = _picked(job["metadata"].get("labels") or {}, _OWN_LABELS)
    return {"metadata": _metadata(job) | {"labels": _shared_strings(own)}}


NODES: Final = Watched("Node", labels.WORKSPACE_UID, kept_node)
"""Nodes that were bought for Workspaces."""
OWN_NODES: Final = Watched("Node", "", kept_node)
"""All nodes: a reservation's label key contains the Workspace's uid, and the user's nodes carry labels of any name."""
PODS: Final = Watched("Pod", labels.WORKSPACE_UID, kept_pod)
JOBS: Final = Watched("Job", labels.WORKSPACE_UID, kept_job)


def _metadata(item: Object) -> Object:
    return _picked(item["metadata"], _METADATA)


def _picked(item: Mapping[str, Any], names: Iterable[str]) -> Object:
    return {name: item[name] for name in names if name in item}


def _container(status: Object) -> Object:
    states = {name: _state(status[name]) for name in ("state", "lastState") if status.get(name)}
    return _picked(status, _CONTAINER) | states


def _state(state: Object) -> Object:
    return {name: _picked(state[name] or {}, _STATE) for name in _STATES if name in state}


def _conditions(status: Object, types: tuple[str, ...], fields: tuple[str, ...]) -> list[Object]:
    return [_picked(one, fields) for one in status.get("conditions") or [] if one["type"] in types]


def _shared_strings(found: Mapping[str, str]) -> dict[str, str]:
    """Every Node has the same label keys and mostly the same values: each string is held once."""
    return {sys.intern(key): sys.intern(value) for key, value in found.items()}
