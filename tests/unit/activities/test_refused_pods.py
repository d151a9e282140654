"""What the API server says when it refuses pods, and which of it may pass by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.serving.refused_pods import (
    PASSING_S,
    RefusedPods,
    problem_of_refusal,
    refusal_in_events,
    refusal_of_deployment,
)
from tests.builders import a_key
from tests.fakes.cluster import FakeCluster

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FORBIDDEN = 'pods "w-5d4f8-x" is forbidden: '


@pytest.mark.parametrize(
    ("words", "reason", "final"),
    [
        pytest.param(f'{FORBIDDEN}violates PodSecurity "restricted:latest": seccompProfile', "PodsForbidden", True,
                     id="Pod Security"),
        pytest.param(f"{FORBIDDEN}maximum memory usage per Container is 1Gi, but limit is 2Gi", "PodsForbidden", True,
                     id="LimitRange"),
        pytest.param(f"{FORBIDDEN}failed quota: q: must specify limits.cpu", "PodsForbidden", True, id="no limit"),
        pytest.param(f"{FORBIDDEN}exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
                     "PodQuotaExceeded", False, id="quota"),
        pytest.param('admission webhook "validation.gatekeeper.sh" denied the request: no', "PodsForbidden", True,
                     id="Gatekeeper"),
        pytest.param(f"{FORBIDDEN}no PriorityClass with name high was found", "PodsForbidden", True, id="priority"),
        pytest.param('pod rejected: RuntimeClass "gvisor" not found', "PodsForbidden", True, id="runtime class"),
        pytest.param(f'{FORBIDDEN}error looking up service account a/b: serviceaccount "b" not found', "PodsForbidden",
                     False, id="ServiceAccount"),
        pytest.param('Internal error occurred: failed calling webhook "w": timed out', "PodsForbidden", False,
                     id="a webhook that is away"),
        pytest.param("etcdserver: request timed out", "PodsForbidden", False, id="nobody refuses"),
    ],
)  # fmt: skip
def test_a_refusal_has_a_reason_and_may_pass(words: str, reason: str, final: bool) -> None:
    problem = problem_of_refusal("Deployment a/w", words)
    assert (problem.reason, problem.final) == (reason, final)
    assert problem.final_after_s == PASSING_S and problem.message == f"Deployment a/w cannot make its pods: {words}"


def a_deployment(observed: int = 2, **condition: Any) -> dict[str, Any]:
    found = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no"} | condition
    return {"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": [found]}}


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        pytest.param(a_deployment(), "no", id="refused"),
        pytest.param(a_deployment(status="False"), "", id="refused before"),
        pytest.param(a_deployment(observed=1), "", id="of the generation before"),
        pytest.param(a_deployment(0, type="Progressing", status="False", reason="ReplicaSetCreateError"), "no",
                     id="not even a ReplicaSet"),
        pytest.param(a_deployment(message="no\n\x1b[2Jyes"), "no [2Jyes", id="an escape sequence"),
        pytest.param(a_deployment(message="x" * 10**6), "x" * 3999 + "…", id="without end"),
        pytest.param({"metadata": {}}, "", id="nothing yet"),
    ],
)  # fmt: skip
def test_a_deployment_says_why_it_has_no_pods(deployment: dict[str, Any], words: str) -> None:
    assert refusal_of_deployment(deployment) == words


def event(seconds_ago: float, message: str, field: str = "lastTimestamp") -> dict[str, Any]:
    at = (NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")
    return {"message": f"Error creating: {message}"} | (
        {"series": {"lastObservedTime": at}} if field == "series" else {field: at}
    )


def test_the_newest_event_counts_and_old_ones_do_not() -> None:
    events = [event(90, "first"), event(5, "last", "series"), event(30, "between", "eventTime"), {"message": "untold"}]
    assert refusal_in_events(events, NOW) == "last"
    assert refusal_in_events([event(3600, "an hour ago")], NOW) == ""


class WithoutEvents(FakeCluster):
    """As for a worker whose roles are an earlier release's."""

    async def list_all(self, kind: str, *place: Any, **selectors: Any) -> Any:
        raise ApiException(status=403, reason="Forbidden")


async def test_a_training_goes_on_where_events_may_not_be_read() -> None:
    cluster = WithoutEvents(Job={"metadata": {"name": "j", "namespace": "default", "uid": "u"}})
    assert await RefusedPods(cluster, "Job", "j", a_key(), first_s=0).problem(missing=True) is None
