"""Whose rights are asked for, when, and what is said when they are not there or cannot be asked."""

import json
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from admin.webhook.__main__ import AllRules
from admin.webhook.admission_review import VERSION, read_review
from admin.webhook.app import answer_of
from admin.webhook.config_maps import NoConfigMaps
from admin.webhook.permissions import ClusterPermissions, access_review, needs_pods
from api.policy.reading import parse_policy
from testing.workspaces import workspace

USER = {"username": "tenant", "uid": "u1", "groups": ["team-a"], "extra": {"scopes": ["x"]}}


class Asked:
    """Stands for the API server: answers one question, or raises."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.questions = answer, list[Any]()

    async def request(self, verb: str, path: str, *, body: Any) -> Any:
        self.questions.append((verb, path, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def templated(image: str = "vllm/vllm-openai:v1") -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": image}]}
    return workspace("w") | {"inference": {"template": {"spec": pod}}}


def body(operation: str, new: Any, old: Any = None, **more: Any) -> bytes:
    request = {"uid": "r", "operation": operation, "namespace": "team-a", "object": new, "oldObject": old}
    request |= {"userInfo": USER} | more
    return json.dumps({"apiVersion": VERSION, "kind": "AdmissionReview", "request": request}).encode()


async def answered(cluster: Any, *review: Any, **more: Any) -> dict[str, Any]:
    said = await answer_of(body(*review, **more), AllRules("aks"), NoConfigMaps(), ClusterPermissions(cluster))
    response: dict[str, Any] = json.loads(said)["response"]
    return response


ALLOWED, DENIED = {"status": {"allowed": True}}, {"status": {"allowed": False}}


async def test_a_user_who_may_not_create_pods_gets_none_by_a_template() -> None:
    cluster = Asked(DENIED)
    said = await answered(cluster, "CREATE", templated())
    assert said["allowed"] is False
    assert "user 'tenant' may not create pods in namespace team-a" in said["status"]["message"]
    [(verb, path, question)] = cluster.questions
    assert (verb, path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    assert question["spec"] == {
        "user": "tenant",
        "uid": "u1",
        "groups": ["team-a"],
        "extra": {"scopes": ["x"]},
        "resourceAttributes": {"namespace": "team-a", "verb": "create", "version": "v1", "resource": "pods"},
    }


async def test_a_user_who_may_is_admitted() -> None:
    assert (await answered(Asked(ALLOWED), "CREATE", templated()))["allowed"] is True


@pytest.mark.parametrize(
    "answer", [TimeoutError(), ApiException(status=403), ApiException(status=500), {}, {"status": 3}]
)
async def test_a_question_that_cannot_be_asked_refuses_templates(answer: Any) -> None:
    assert (await answered(Asked(answer), "CREATE", templated()))["allowed"] is False


async def test_presets_and_whoever_does_not_change_a_template_ask_nobody() -> None:
    cluster = Asked(DENIED)
    preset, old = workspace("w"), templated()
    renamed = templated() | {"metadata": templated()["metadata"] | {"annotations": {"modelyard.dev/retry": "2"}}}
    for review in (("CREATE", preset), ("UPDATE", renamed, old), ("UPDATE", old, old), ("DELETE", None, old)):
        assert (await answered(cluster, *review))["allowed"] is True, review
    ended = templated("other:v1") | {"metadata": {"name": "w", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert (await answered(cluster, "UPDATE", ended, ended))["allowed"] is True
    assert (await answered(cluster, "UPDATE", templated("x:1"), old, subResource="status"))["allowed"] is True
    assert cluster.questions == []


async def test_a_changed_template_is_asked_for_by_who_changes_it() -> None:
    cluster = Asked(DENIED)
    assert (await answered(cluster, "UPDATE", templated("other:v1"), templated()))["allowed"] is False
    assert len(cluster.questions) == 1


async def test_what_is_refused_anyway_costs_no_question() -> None:
    cluster = Asked(ALLOWED)
    bad = templated()
    bad["inference"]["template"]["spec"]["hostNetwork"] = True
    said = await answered(cluster, "CREATE", bad)
    assert "hostNetwork shares the node's" in said["status"]["message"] and cluster.questions == []


async def test_a_document_without_a_namespace_does_not_leave_the_namespaces_limits() -> None:
    policy = parse_policy("namespaces: [{namespaces: [team-a], rules: {machineTypes: []}}]")
    nowhere = workspace("w")
    del nowhere["metadata"]["namespace"]
    elsewhere = workspace("w") | {"metadata": {"name": "w", "namespace": "default"}}
    for document in (nowhere, elsewhere):
        said = await answer_of(body("CREATE", document), AllRules("aks", policy=lambda: policy), NoConfigMaps())
        assert "namespace team-a may buy nobody" in json.loads(said)["response"]["status"]["message"]


def test_a_review_without_a_user_asks_for_nobody_in_particular() -> None:
    review = read_review(body("CREATE", templated(), userInfo=None))
    assert needs_pods(review)
    assert access_review(review)["spec"] == {
        "resourceAttributes": {"namespace": "team-a", "verb": "create", "version": "v1", "resource": "pods"}
    }
