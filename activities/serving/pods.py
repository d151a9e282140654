"""Evaluates the state of a Workspace's pods: ready, in progress, or a failure with a reason. Pure functions over pod
objects.

The runtime leaves {"reason", "message"} as its containers' termination message; if present, that takes precedence.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Final

from activities.clients.kubernetes import Object
from api import labels
from api.configs.json_reading import read_json
from api.reasons import REASONS

_BAD_IMAGE: Final = {"ImagePullBackOff", "ErrImagePull", "ImageInspectError", "RegistryUnavailable"}
_NO_IMAGE: Final = {"InvalidImageName", "ErrImageNeverPull"}
"""What the kubelet does not even ask a registry about."""
_NOT_FOUND: Final = ("not found", "manifest unknown", "name unknown", "repository does not exist")
"""What registries and container runtimes say of an image that is not there (containerd, CRI-O, Docker; the OCI
distribution specification's error codes)."""
IMAGE_MISSING_FINAL_S: Final = 120.0
"""A registry that says it has no such image is asked some more times: the image may be pushed just now."""
IMAGE_FINAL_S: Final = 600.0
"""The kubelet asks a registry at longer and longer intervals, up to five minutes: this is six times."""
START_FINAL_S: Final = 300.0
"""What a container names, a ConfigMap or a key of a Secret, may be made a moment later."""
_BAD_START: Final = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
MESSAGE_MAX: Final = 4096
"""Characters of a message that are read: kubelets keep 4 KiB of a termination message (Kubernetes, "Determine the
Reason for Pod Failure"), and whoever may write a pod's status could write more."""
RESTARTS_TOLERATED: Final = 2
"""A container with more failures than this will not start by itself."""


@dataclass(frozen=True)
class Problem:
    """Why a pod does not serve. Waiting does not resolve a `final` problem, nor one that has stood `final_after_s`.
    `container`: whose log tells more; empty if it is none of a container's."""

    reason: str
    message: str
    final: bool
    final_after_s: float = math.inf
    container: str = ""


def is_ready(pod: Object, digest: str) -> bool:
    """Whether the pod is Ready, has the wanted digest, and is not being deleted."""
    if "deletionTimestamp" in pod["metadata"] or digest_of(pod) != digest:
        return False
    conditions = pod.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def digest_of(pod: Object) -> str:
    """The plan's digest for which the pod was created."""
    return str((pod["metadata"].get("annotations") or {}).get(labels.CONFIG_HASH, ""))


def problem_of(pod: Object, tolerated: int = RESTARTS_TOLERATED) -> Problem | None:
    """The worst problem of a pod; None while it makes progress. More than `tolerated` restarts are final."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        message = str(status.get("message", ""))[:MESSAGE_MAX]
        return Problem("PodEvicted", f"pod {name} was evicted: {message}", final=False)
    problems = [found for state in _container_states(status) if (found := _container_problem(name, state, tolerated))]
    if problems:
        return next((problem for problem in problems if problem.final), problems[0])
    return _scheduling_problem(name, status)


def _container_states(status: Object) -> list[Object]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _container_problem(pod: str, container: Object, tolerated: int) -> Problem | None:
    where = f"container {container['name']} of pod {pod}"
    waiting = (container.get("state") or {}).get("waiting") or {}
    message = str(waiting.get("message") or waiting.get("reason"))[:MESSAGE_MAX]
    if waiting.get("reason") in _BAD_IMAGE | _NO_IMAGE:
        text = f"{where} cannot pull {container.get('image')}: {message}"
        is_missing = any(word in message.lower() for word in _NOT_FOUND)
        lasting_s = IMAGE_MISSING_FINAL_S if is_missing else IMAGE_FINAL_S
        return Problem("ImagePullError", text, waiting.get("reason") in _NO_IMAGE, lasting_s)
    if waiting.get("reason") in _BAD_START:
        return Problem("ContainerStartError", f"{where}: {message}", final=False, final_after_s=START_FINAL_S)
    ended = _last_end(container)
    if not ended or ended.get("exitCode") == 0:
        return None
    found = _crash(where, ended, container.get("restartCount", 0), tolerated)
    return replace(found, container=str(container["name"]))


def _last_end(container: Object) -> Object | None:
    for state in (container.get("state") or {}, container.get("lastState") or {}):
        if "terminated" in state:
            return dict(state["terminated"])
    return None


def _crash(where: str, ended: Object, restarts: int, tolerated: int) -> Problem:
    message = str(ended.get("message") or "")[:MESSAGE_MAX]
    reported = _reported(message)
    final = restarts > tolerated
    if reported:
        return Problem(reported[0], f"{where}: {reported[1]}", final=final or REASONS[reported[0]].failure == "fail")
    if ended.get("reason") == "OOMKilled":
        return Problem("ContainerOOMKilled", f"{where} ran out of memory ({restarts} restarts)", final=final)
    tail = " | ".join(line.strip() for line in message.strip().splitlines()[-3:])
    text = f"{where} ended with exit code {ended.get('exitCode')} ({restarts} restarts): {tail or 'no output'}"
    return Problem("ContainerCrashLoopBackOff", text, final=final)


def _reported(message: str) -> tuple[str, str] | None:
    """Returns the (reason, message) that the runtime left; None for any other text."""
    try:
        left: Any = read_json(message.strip().splitlines()[-1]) if message.strip() else None
    except ValueError:
        return None
    if isinstance(left, dict) and left.get("reason") in REASONS:
        return str(left["reason"]), str(left.get("message", ""))
    return None


def _scheduling_problem(pod: str, status: Object) -> Problem | None:
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            message = str(condition.get("message", ""))[:MESSAGE_MAX]
            return Problem("Unschedulable", f"pod {pod}: {message}", final=False)
    return None
