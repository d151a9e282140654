"""What a failed container wrote last: which log is read, what is kept of it, and what must not be."""

from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException
from temporalio.exceptions import ApplicationError

from activities.clients.view.cluster_view import ClusterView
from activities.contract.serving import ServingRequest
from activities.serving.last_words import KEPT_OF_ONE, MASK, failed_containers, kept, with_last_words
from activities.serving.pods import Problem
from activities.serving.workloads import Workloads
from api import labels
from testing.pods.inputs import IMAGES
from tests.builders import a_key
from tests.fakes.cluster import FakeCluster
from tests.fakes.controllers import DEPLOYMENT_UID, controlled, replica_set
from tests.integration.nodes.attempts import refused

DIGEST = "digest-1"
KEY = a_key()


def ended(name: str, code: int = 1, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, "state": {"terminated": {"exitCode": code}}} | more


def restarted(name: str, code: int = 1, restarts: int = 3) -> dict[str, Any]:
    before = {"lastState": {"terminated": {"exitCode": code}}}
    return {"name": name, "restartCount": restarts, "state": {"waiting": {"reason": "CrashLoopBackOff"}}} | before


def running(name: str) -> dict[str, Any]:
    return {"name": name, "restartCount": 0, "state": {"running": {}}}


@pytest.mark.parametrize(
    ("init", "main", "read"),
    [
        pytest.param([], [ended("llm"), running("side")], [("llm", False)], id="the run that is shown"),
        pytest.param([], [restarted("llm")], [("llm", True)], id="the run before"),
        pytest.param([ended("prepare", 2)], [], [("prepare", False)], id="an init container"),
        pytest.param([ended("prepare", 0)], [restarted("llm")], [("llm", True)], id="one that has done its work"),
        pytest.param([], [running("llm")], [("llm", False)], id="one that is never ready"),
        pytest.param([], [{"name": "llm", "state": {"waiting": {}}}], [], id="one that has never run"),
    ],
)
def test_the_log_of_what_failed_is_read(init: list[Any], main: list[Any], read: list[tuple[str, bool]]) -> None:
    assert failed_containers({"status": {"initContainerStatuses": init, "containerStatuses": main}}) == read


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("HF_TOKEN is hf_abcdefghijklmnopqrstuv", "hf_abcdefghijklmnopqrstuv"),
        ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("GET https://me:hunter2@registry.example.com/v2/", "hunter2"),
        ("token eyJhbGciOiJSUzI1NiIsImtpZCI6.eyJpc3MiOiJr.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        ("https://acct.blob.core.windows.net/c?sv=1&sig=abc%2Bdef%3D", "abc%2Bdef"),
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD: hunter2", "hunter2"),
    ],
)
def test_a_secret_in_a_log_is_masked(line: str, secret: str) -> None:
    assert secret not in kept(line) and MASK in kept(line)


def test_the_end_of_a_log_is_kept_without_what_cannot_be_seen() -> None:
    text = kept("begin\n" + "x" * 10**6 + "\n\x1b[31mRuntimeError: no GPU\u202e")
    assert len(text) <= KEPT_OF_ONE and "begin" not in text
    assert text.rstrip().endswith("RuntimeError: no GPU") and "\x1b" not in text and "\u202e" not in text


def test_the_last_lines_are_in_the_message_once() -> None:
    problem = Problem("ContainerCrashLoopBackOff", "ended with exit code 1: no output", final=True, container="llm")
    logs = {"p/side": "fine", "p/llm": "a\nb\n\nc\nValueError: no\n"}
    assert with_last_words(problem, logs) == f"{problem.message}. Its log ends: b | c | ValueError: no"
    told = Problem("ContainerCrashLoopBackOff", "ended: b | c | ValueError: no", final=True, container="llm")
    assert with_last_words(told, logs) == told.message
    assert with_last_words(problem, {}) == problem.message


def crashing_pod() -> dict[str, Any]:
    own = {"labels": {labels.WORKSPACE_UID: KEY.uid}, "annotations": {labels.CONFIG_HASH: DIGEST}}
    metadata = {"name": "p", "namespace": KEY.namespace, "uid": "p"} | own
    status = {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [restarted("llm")]}
    return controlled({"metadata": metadata, "spec": {}, "status": status}, "ReplicaSet", replica_set(KEY))


async def failure_of(cluster: FakeCluster) -> ApplicationError:
    request = ServingRequest(workspace=KEY, digest=DIGEST, replicas=1, deployment=DEPLOYMENT_UID)
    return await refused(Workloads(ClusterView(cluster), IMAGES).wait_for_serving, request)


async def test_a_crash_keeps_the_log_of_the_run_before_in_history_and_its_end_in_the_status() -> None:
    cluster = FakeCluster(ReplicaSet=replica_set(KEY), Pod=crashing_pod())
    cluster.logs["p", "llm", True] = "loading\nRuntimeError: CUDA driver version is insufficient\n"
    error = await failure_of(cluster)
    assert error.type == "ContainerCrashLoopBackOff"
    assert "Its log ends: loading | RuntimeError: CUDA driver version is insufficient" in error.message
    assert error.details[0]["logs"]["p/llm"].startswith("loading\n")


async def test_a_log_that_cannot_be_read_changes_no_verdict() -> None:
    cluster = FakeCluster(ReplicaSet=replica_set(KEY), Pod=crashing_pod())
    cluster.fail_next("read_text", ApiException(status=403, reason="Forbidden"))
    error = await failure_of(cluster)
    assert error.type == "ContainerCrashLoopBackOff" and not error.details
