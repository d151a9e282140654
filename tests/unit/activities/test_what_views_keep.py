"""What a view keeps of an object says the same to those who read it as the whole object does."""

from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.clients.view.watched import kept_job, kept_node, kept_pod
from activities.nodes.byo.gpu_accounting import blocked, gpu_pod, kept_gpu_pod, uses_of
from activities.nodes.losses import is_going
from activities.nodes.readiness import gpus_of, is_ready
from activities.nodes.reservation_labels import reservations_of, reserving
from activities.serving import pods
from activities.serving.pod_owners import controller_of
from activities.tuning.pods import judged
from api import labels
from tests.builders import UID
from tests.fakes.nodes import a_node, a_pod

DIGEST = "digest"
OWNED = {labels.WORKSPACE_UID: UID}


def whole_node(**changes: Any) -> Object:
    node = a_node("n1", **changes)
    node["metadata"] |= {"managedFields": [{}], "annotations": {"a": "b"}}
    node["status"] |= {"images": [{"names": ["i"]}], "capacity": {"cpu": "1"}}
    return node


def whole_pod(**changes: Any) -> Object:
    status = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]} | changes
    metadata: Object = {"name": "p1", "namespace": "default", "uid": "u", "resourceVersion": "1", "managedFields": [{}]}
    metadata |= {"labels": OWNED, "annotations": {labels.CONFIG_HASH: DIGEST, "other": "x"}}
    controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "w-5d4f8", "uid": "r", "controller": True}
    metadata["ownerReferences"] = [{"kind": "ConfigMap", "name": "c", "uid": "c"}, controller]
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": [{"name": "serve"}]}, "status": status}


def container(name: str, **states: Any) -> Object:
    return {"name": name, "image": "i:1", "imageID": "sha256", "restartCount": states.pop("restarts", 0)} | states


def _controller(pod: Object) -> tuple[str, str, str] | None:
    found = controller_of(pod)
    return None if found is None else (found["kind"], found["name"], found["uid"])


@pytest.mark.parametrize(
    "node",
    [
        whole_node(),
        whole_node(ready=False, gpus=0),
        whole_node(cordoned=True),
        whole_node(taints=[{"key": "k", "effect": "NoExecute"}], labels={f"{labels.GPU_RESERVATIONS}/{UID}": "2"}),
        {"metadata": {"name": "n1", "uid": "u", "resourceVersion": "1", "deletionTimestamp": "2026-01-01"}},
    ],
)
def test_nodes(node: Object) -> None:
    kept = kept_node(node)
    for read in (is_ready, is_going, reservations_of, blocked, lambda one: reserving(one, UID, 1)):
        assert read(kept) == read(node)
    assert gpus_of(kept, labels.GPU_RESOURCE) == gpus_of(node, labels.GPU_RESOURCE)
    assert uses_of({"n1": kept}, []) == uses_of({"n1": node}, [])
    assert "images" not in kept["status"] and "managedFields" not in kept["metadata"]


@pytest.mark.parametrize(
    "pod",
    [
        whole_pod(),
        whole_pod(reason="Evicted", message="the node is out of memory"),
        whole_pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no"}]),
        whole_pod(containerStatuses=[container("train", state={"waiting": {"reason": "ErrImagePull"}})]),
        whole_pod(initContainerStatuses=[container("a", state={"waiting": {"reason": "StartError", "message": "m"}})]),
        whole_pod(containerStatuses=[container("train", lastState={"terminated": {"exitCode": 1, "message": "m"}})]),
        whole_pod(containerStatuses=[container("train", restarts=9, state={"terminated": {"reason": "OOMKilled"}})]),
        whole_pod(containerStatuses=[container("train", state={"running": {"startedAt": "2026-01-01"}}, lastState={})]),
        whole_pod(phase="Succeeded", containerStatuses=[container("train", state={"terminated": {"message": "{}"}})]),
        {"metadata": {"name": "p1", "namespace": "default", "uid": "u", "resourceVersion": "1"}},
    ],
)  # fmt: skip
def test_pods(pod: Object) -> None:
    kept = kept_pod(pod)
    for read in (pods.digest_of, pods.problem_of, lambda one: pods.is_ready(one, DIGEST), _controller):
        assert read(kept) == read(pod)
    assert judged("train", [kept], DIGEST) == judged("train", [pod], DIGEST)
    assert kept["spec"].get("nodeName") == (pod.get("spec") or {}).get("nodeName")
    assert "managedFields" not in kept["metadata"]


def test_jobs() -> None:
    job = {"metadata": {"name": "j", "namespace": "default", "uid": "u", "labels": OWNED | {"x": "y"}}, "spec": {}}
    assert kept_job(job) == {"metadata": {"name": "j", "namespace": "default", "uid": "u", "labels": OWNED}}


@pytest.mark.parametrize("pod", [a_pod("p", "n1", gpus=2, workspace=UID), a_pod("p", "n1")])
def test_pods_with_gpus(pod: Object) -> None:
    kept = kept_gpu_pod(pod)
    assert kept is not None and gpu_pod(kept) == gpu_pod(pod)


@pytest.mark.parametrize("pod", [a_pod("p"), a_pod("p", "n1", gpus=0), a_pod("p", "n1", phase="Failed")])
def test_pods_without_gpus_are_not_kept(pod: Object) -> None:
    assert kept_gpu_pod(pod) is None
