"""What pods say, and what that means for their Workspace."""

import json
from typing import Any

import pytest

from activities.serving import pods
from activities.tuning.pods import judged
from api import labels


def a_pod(*, ready: bool = False, digest: str = "d1", conditions: Any = (), **container: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [*conditions, {"type": "Ready", "status": str(ready)}]}
    if container:
        status["containerStatuses"] = [{"name": "serve", "image": "runtime:1"} | container]
    return {"metadata": {"name": "w-1", "annotations": {labels.CONFIG_HASH: digest}}, "status": status}


def ended(code: int, message: str = "", restarts: int = 0, reason: str = "Error") -> dict[str, Any]:
    return {
        "restartCount": restarts,
        "state": {"terminated": {"exitCode": code, "message": message, "reason": reason}},
    }


def test_ready_counts_for_the_wanted_digest_only() -> None:
    assert pods.is_ready(a_pod(ready=True), "d1")
    assert not pods.is_ready(a_pod(ready=True), "d2")
    assert not pods.is_ready(a_pod(ready=False), "d1")
    going = a_pod(ready=True)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not pods.is_ready(going, "d1")


WAITING: dict[str, Any] = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
TOLD = json.dumps({"reason": "ModelGated", "message": "accept the licence"})
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}


@pytest.mark.parametrize(
    ("pod", "reason", "final"),
    [
        pytest.param(a_pod(**WAITING), "ImagePullError", False, id="image is pulled again"),
        pytest.param(a_pod(**ended(1, "Traceback")), "ContainerCrashLoopBackOff", False, id="first crash"),
        pytest.param(a_pod(**ended(1, "Traceback", 3)), "ContainerCrashLoopBackOff", True, id="one crash too many"),
        pytest.param(a_pod(**ended(137, "", 1, "OOMKilled")), "ContainerOOMKilled", False, id="out of memory"),
        pytest.param(a_pod(**ended(1, TOLD)), "ModelGated", True, id="the runtime's own words"),
        pytest.param(a_pod(conditions=[UNSCHEDULABLE]), "Unschedulable", False, id="no node"),
    ],
)
def test_a_problem_has_a_reason(pod: dict[str, Any], reason: str, final: bool) -> None:
    problem = pods.problem_of(pod)
    assert problem is not None
    assert (problem.reason, problem.final) == (reason, final)


def test_a_starting_pod_has_no_problem() -> None:
    assert pods.problem_of(a_pod(state={"waiting": {"reason": "ContainerCreating"}})) is None
    assert pods.problem_of(a_pod(**ended(0))) is None


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(**ended(1, "x" * 10**6)),
        a_pod(**ended(1, json.dumps({"reason": "ModelGated", "message": "x" * 10**6}))),
        a_pod(**ended(1, "[" * 10**5)),
        a_pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "x" * 10**6}}),
        a_pod(state={"waiting": {"reason": "CreateContainerError", "message": "x" * 10**6}}),
        a_pod(conditions=[UNSCHEDULABLE | {"message": "x" * 10**6}]),
    ],
    ids=["output", "report", "nested without end", "image", "start", "no node"],
)
def test_a_status_that_somebody_else_has_written_fills_no_history(pod: dict[str, Any]) -> None:
    problem = pods.problem_of(pod)
    assert problem is not None and len(problem.message) < pods.MESSAGE_MAX + 500
    for part in ("fetch", "train", "publish"):
        judged(part, [pod], "d1")


def test_a_push_that_finds_no_registry_is_told_while_it_is_tried_again() -> None:
    """After the first failure and not after the last: the kubelet goes on with the same Job meanwhile."""
    words = json.dumps({"reason": "RegistryUnreachable", "message": "registry.example cannot be reached"})
    failed = judged("publish", [a_pod(name="publish", **ended(72, words))], "d1")
    assert failed.problem is not None and failed.problem.final and "registry.example" in failed.problem.message
    last = {"lastState": ended(72, words)["state"], "restartCount": 1, "state": {"running": {}}}
    again = judged("publish", [a_pod(**last | {"name": "publish"})], "d1")
    assert again.running and again.problem is not None and not again.problem.final
    crash = judged("publish", [a_pod(name="publish", **ended(1, "Traceback"))], "d1")
    assert crash.problem is not None and not crash.problem.final


@pytest.mark.parametrize(
    ("waiting", "final", "after_s"),
    [
        pytest.param({"reason": "ErrImagePull", "message": "registry/x:1: not found"}, False, 120, id="no such image"),
        pytest.param({"reason": "ImagePullBackOff", "message": "manifest unknown"}, False, 120, id="no such tag"),
        pytest.param({"reason": "ErrImagePull", "message": "unauthorized"}, False, 600, id="no right"),
        pytest.param({"reason": "InvalidImageName", "message": "couldn't parse"}, True, 600, id="no name of an image"),
        pytest.param({"reason": "CreateContainerConfigError", "message": 'configmap "x" not found'}, False, 300,
                     id="no ConfigMap"),
    ],
)  # fmt: skip
def test_what_does_not_pass_by_itself_ends_the_wait(waiting: dict[str, str], final: bool, after_s: float) -> None:
    problem = pods.problem_of(a_pod(state={"waiting": waiting}))
    assert problem is not None and (problem.final, problem.final_after_s) == (final, after_s)
