"""Pods of Jobs behave as under real kubelets: a real Job controller counts them, a real proxy reaches them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import pod_proxy_path
from api import labels
from api.pods.tune import TUNE_PORT
from testing.deadlines import PATIENCE_S
from testing.pods.rules import JobRule, PodRules
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces

Object = dict[str, Any]


def job(name: str, *, restart: str = "Never", claim: str = "") -> Object:
    """A Job as one of a tuning Workspace; on any node, with a volume where a claim is named."""
    volumes = [{"name": "kept", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    pod = {
        "metadata": {"labels": {labels.WORKSPACE: name, labels.COMPONENT: "train"}},
        "spec": {
            "restartPolicy": restart,
            "initContainers": [{"name": "weights", "image": "none"}],
            "containers": [{"name": "train", "image": "none"}],
            "volumes": volumes,
        },
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": pod, "backoffLimit": 3}}


@pytest.fixture
async def made(workspaces: Workspaces) -> AsyncIterator[list[tuple[str, str]]]:
    """Kinds and names that are deleted afterwards, whatever happened."""
    found: list[tuple[str, str]] = []
    yield found
    for kind, name in reversed(found):
        await workspaces.cluster.delete(kind, name, NAMESPACE)
    for kind, name in found:
        await until(workspaces, kind, name, lambda item: item is None)


async def until(workspaces: Workspaces, kind: str, name: str, there: Callable[[Object | None], bool]) -> Object | None:
    deadline = time.monotonic() + PATIENCE_S
    while not there(found := await workspaces.cluster.get(kind, name, NAMESPACE)):
        assert time.monotonic() < deadline, f"{kind} {name}: {found}"
        await asyncio.sleep(0.1)
    return found


async def pods_of(workspaces: Workspaces, name: str) -> list[Object]:
    found, _ = await workspaces.cluster.list_all("Pod", NAMESPACE, selector=f"job-name={name}")
    return found


def ended(item: Object | None) -> bool:
    """From Kubernetes 1.31 on SuccessCriteriaMet announces the end, before the counts are there."""
    conditions = (item or {}).get("status", {}).get("conditions") or ()
    return any(one["status"] == "True" for one in conditions if one["type"] in ("Complete", "Failed"))


async def run(workspaces: Workspaces, made: list[tuple[str, str]], body: Object) -> Object:
    """The Job's status when it is over."""
    await begin(workspaces, made, body)
    found = await until(workspaces, "Job", body["metadata"]["name"], ended)
    assert found is not None
    status: Object = found["status"]
    return status


async def begin(workspaces: Workspaces, made: list[tuple[str, str]], body: Object) -> None:
    await workspaces.cluster.create(body["kind"], body)
    made.append((body["kind"], body["metadata"]["name"]))


async def test_a_job_ends_with_the_message_of_its_rule(
    stack: Stack, workspaces: Workspaces, made: list[tuple[str, str]]
) -> None:
    stack.set_pods(PodRules(jobs=[JobRule(workspace="told", component="train", message='{"step": 7}')]))
    status = await run(workspaces, made, job("told"))
    assert status["succeeded"] == 1
    (pod,) = await pods_of(workspaces, "told")
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == '{"step": 7}'
    assert pod["spec"]["nodeName"] == "system-0"


async def test_runs_that_fail_are_other_pods_where_pods_are_not_restarted(
    stack: Stack, workspaces: Workspaces, made: list[tuple[str, str]]
) -> None:
    stack.set_pods(PodRules(jobs=[JobRule(failures=1, exit_code=61, failure_message="fell off the bus")]))
    status = await run(workspaces, made, job("fails-once"))
    assert (status["failed"], status["succeeded"]) == (1, 1)
    ends = [
        pod["status"]["containerStatuses"][0]["state"]["terminated"] for pod in await pods_of(workspaces, "fails-once")
    ]
    assert sorted((end["exitCode"], end.get("message", "")) for end in ends) == [(0, ""), (61, "fell off the bus")]


async def test_runs_that_fail_are_counted_where_the_kubelet_restarts_containers(
    stack: Stack, workspaces: Workspaces, made: list[tuple[str, str]]
) -> None:
    stack.set_pods(PodRules(jobs=[JobRule(failures=2, exit_code=62)]))
    await run(workspaces, made, job("restarts", restart="OnFailure"))
    (pod,) = await pods_of(workspaces, "restarts")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 2


async def test_a_running_pod_tells_its_progress_through_the_api_server(
    stack: Stack, workspaces: Workspaces, made: list[tuple[str, str]]
) -> None:
    rules = [JobRule(workspace="asked", seconds=600, progress={"phase": "training", "step": 3})]
    stack.set_pods(PodRules(jobs=rules))
    await begin(workspaces, made, job("asked"))
    await until(workspaces, "Job", "asked", lambda item: bool((item or {})["status"].get("active")))
    pod = await running_pod(workspaces, "asked")
    path = pod_proxy_path(NAMESPACE, pod, TUNE_PORT, "/healthz")
    assert await workspaces.cluster.request("GET", path) == {"phase": "training", "step": 3}
    stack.set_pods(PodRules())
    await until(workspaces, "Job", "asked", ended)
    with pytest.raises(ApiException) as refused:
        await workspaces.cluster.request("GET", path)
    assert refused.value.status == 503


async def test_a_claim_is_bound_to_a_volume_and_a_job_may_use_it(
    stack: Stack, workspaces: Workspaces, made: list[tuple[str, str]]
) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "kept", "namespace": NAMESPACE}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
    await begin(workspaces, made, body)
    status = await run(workspaces, made, job("keeps", claim="kept"))
    assert status["succeeded"] == 1
    claim = await workspaces.cluster.get("PersistentVolumeClaim", "kept", NAMESPACE)
    assert claim is not None and claim["status"]["phase"] == "Bound"
    volume = await workspaces.cluster.request("GET", f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
    folder = Path(volume["spec"]["local"]["path"])
    assert folder.is_dir() and folder.is_relative_to(stack.layout.state)


async def running_pod(workspaces: Workspaces, name: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for pod in await pods_of(workspaces, name):
            if pod["status"].get("phase") == "Running":
                return str(pod["metadata"]["name"])
        assert time.monotonic() < deadline, f"no pod of {name} runs"
        await asyncio.sleep(0.1)
