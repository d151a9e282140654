"""What the webhook answers: which reviews are judged, which pass unseen, which are refused before any rule is asked."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from admin.webhook import admission_review, answers
from admin.webhook.__main__ import AllRules
from admin.webhook.app import answer_of
from admin.webhook.config_maps import NoConfigMaps
from api.validation import Problem
from testing.workspaces import workspace

DELETING = "2026-01-01T00:00:00Z"


class Recorded:
    """Rules that refuse with what they were given, and record what they were asked."""

    def __init__(self, *problems: Problem) -> None:
        self.problems, self.asked = problems, list[str]()

    def on_create(self, document: Mapping[str, Any], config_maps: Any) -> Sequence[Problem]:
        self.asked.append("create")
        return self.problems

    def on_update(self, old: Mapping[str, Any], new: Mapping[str, Any], config_maps: Any) -> Sequence[Problem]:
        self.asked.append("update")
        return self.problems

    def notes(self, document: Mapping[str, Any], config_maps: Any) -> Sequence[Problem]:
        return AllRules("aks").notes(document, config_maps)


class Broken(Recorded):
    """Rules with a mistake in them."""

    def on_create(self, document: Mapping[str, Any], config_maps: Any) -> Sequence[Problem]:
        raise KeyError("no such row")


def review(operation: str = "CREATE", new: Any = None, old: Any = None, **more: Any) -> bytes:
    request = {"uid": "u-1", "operation": operation, "object": new, "oldObject": old, **more}
    return json.dumps({"apiVersion": admission_review.VERSION, "kind": "AdmissionReview", "request": request}).encode()


def answer(body: bytes, rules: Recorded | AllRules) -> dict[str, Any]:
    found = json.loads(asyncio.run(answer_of(body, rules, NoConfigMaps())))
    assert (found["apiVersion"], found["kind"]) == (admission_review.VERSION, "AdmissionReview")
    response: dict[str, Any] = found["response"]
    return response


def edited(**metadata: Any) -> dict[str, Any]:
    found = workspace("w", preset="phi-4-mini-instruct", instance_type="Standard_NC96ads_A100_v4")
    return found | {"metadata": found["metadata"] | metadata}


REFUSING = Problem("C2", "spec", "Either Inference or Tuning must be specified, not neither")


@pytest.mark.parametrize(
    "body",
    [
        review("DELETE", old=workspace("w")),
        review("DELETE"),
        review("UPDATE", edited(), edited(deletionTimestamp=DELETING)),
        review("UPDATE", None, edited(deletionTimestamp=DELETING)),
        review("UPDATE", edited(), workspace("w"), subResource="status"),
        review("UPDATE", edited(finalizers=[], labels={"a": "b"}), edited(finalizers=["f"])),
        review("UPDATE", edited() | {"status": {"phase": "Ready"}}, edited()),
    ],
    ids=["delete", "delete of nothing", "being deleted", "gone", "status", "finalizers and labels", "old status"],
)
def test_deletes_finalizers_and_status_are_never_refused(body: bytes) -> None:
    rules = Recorded(REFUSING)
    assert answer(body, rules)["allowed"] is True
    assert rules.asked == []


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (review("CREATE", workspace("w")), "create"),
        (review("CREATE", edited(deletionTimestamp=DELETING)), "create"),
        (review("UPDATE", edited(), workspace("w")), "update"),
        (review("UPDATE", edited(annotations={"a": "b"}), edited()), "update"),
        (review("UPDATE", edited(deletionTimestamp=DELETING), workspace("w")), "update"),
    ],
    ids=["new", "new and claims to be deleted", "another spec", "annotation", "claims to be deleted"],
)
def test_a_users_change_is_checked(body: bytes, asked: str) -> None:
    rules = Recorded(REFUSING)
    found = answer(body, rules)
    assert rules.asked == [asked]
    assert found["uid"] == "u-1"
    assert found["allowed"] is False
    assert (found["status"]["code"], found["status"]["reason"]) == (422, "Invalid")
    assert found["status"]["message"] == "Either Inference or Tuning must be specified, not neither: spec"


def test_every_problem_has_a_line_and_their_number_and_length_are_bounded() -> None:
    problems = [Problem("C1", f"p[{number}]" * 100, "m" * 10_000) for number in range(500)]
    message = answer(review("CREATE", workspace("w")), Recorded(*problems))["status"]["message"]
    lines = message.split("\n")
    assert len(lines) == answers.PROBLEMS_SHOWN + 1
    assert lines[-1] == "and 480 more"
    assert max(map(len, lines)) <= answers.LINE_LIMIT + answers.WARNING_LIMIT + 2


def test_nothing_that_a_user_wrote_steers_a_terminal() -> None:
    found = answer(review("CREATE", workspace("w")), Recorded(Problem("C1", "a\nb", "\x1b[2J\u202e\ud800 gone")))
    assert found["status"]["message"].isascii()
    assert "\x1b" not in found["status"]["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"null", 400),
        (b"[" * 200_000, 400),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', 400),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}', 400),
        (review("CREATE", workspace("w"), uid=""), 400),
        (review("CREATE", workspace("w"), uid=7), 400),
        (review("CREATE", workspace("w"), uid="u" * 129), 400),
        (review("CONNECT", workspace("w")), 400),
        (review("CREATE"), 400),
        (review("CREATE", [1]), 400),
        (review("UPDATE", workspace("w")), 400),
        (review("CREATE", {"kind": "Pod"}), 400),
        (review("CREATE", workspace("w") | {"x": float("nan")}), 400),
        (review("CREATE", workspace("w") | {"x": "y" * admission_review.REVIEW_LIMITS["CREATE"]}), 413),
        (review("UPDATE", workspace("w") | {"x": "y" * admission_review.REVIEW_LIMITS["UPDATE"]}, workspace("w")), 413),
    ],
)
def test_an_invalid_review_is_refused_without_applying_the_rules(body: bytes, code: int) -> None:
    rules = Recorded()
    found = answer(body, rules)
    assert (found["allowed"], found["status"]["code"], rules.asked) == (False, code, [])


LARGE = {"x": ["y" * 2**21, json.loads("[" * 200 + "]" * 200)]}


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (edited() | {"inference": None}, edited(deletionTimestamp=DELETING)),
        (edited(finalizers=["a"]), edited()),
    ],
    ids=["being deleted", "a finalizer is added"],
)
def test_size_and_depth_do_not_hold_up_what_is_never_refused(new: dict[str, Any], old: dict[str, Any]) -> None:
    assert answer(review("UPDATE", new | LARGE, old | LARGE), Recorded(REFUSING))["allowed"] is True


def test_whatever_could_be_created_can_be_edited() -> None:
    largest = edited() | {"x": "y" * (admission_review.REVIEW_LIMITS["CREATE"] - 2000)}
    assert answer(review("CREATE", largest), Recorded())["allowed"] is True
    noted = largest | {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": largest["x"]}}}
    changed = noted | {"tuning": {}}
    assert answer(review("UPDATE", changed, noted), Recorded())["allowed"] is True


def test_a_bug_in_a_rule_refuses_and_is_called_modelyards(caplog: pytest.LogCaptureFixture) -> None:
    found = answer(review("CREATE", workspace("w")), Broken())
    assert (found["allowed"], found["status"]["code"]) == (False, 500)
    assert "bug in Modelyard" in found["status"]["message"]
    assert "u-1" in caplog.text


def test_deprecated_fields_are_warned_of_in_few_words() -> None:
    given = edited()
    given["resource"] = given["resource"] | {"count": 3, "preferredNodes": ["node-a"]}
    warnings = answer(review("CREATE", given), Recorded())["warnings"]
    assert [warning.split(":")[0] for warning in warnings] == ["resource.count", "resource.preferredNodes"]
    assert all(len(warning) <= answers.WARNING_LIMIT for warning in warnings)


def test_annotations_that_do_nothing_or_more_than_they_seem_are_warned_of() -> None:
    annotations = {"kaito.sh/enablelb": "True", "kaito.sh/disable-benchmark": "true", "kaito.sh/nothing": "1"}
    given = edited()
    given["metadata"] = given["metadata"] | {"annotations": annotations}
    found = answer(review("CREATE", given), Recorded())
    assert found["allowed"] is True
    said = dict(warning.split(": ", 1) for warning in found["warnings"])
    assert said.keys() == {f"metadata.annotations[{key}]" for key in annotations}
    assert "a load balancer, which others reach without a password" in said["metadata.annotations[kaito.sh/enablelb]"]


def test_defaults_that_the_api_server_fills_in_are_not_warned_of() -> None:
    assert "warnings" not in answer(review("CREATE", edited()), Recorded())


@pytest.mark.parametrize("levels", [70, 400, 900])
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_depth_is_refused_and_not_fallen_over(levels: int, operation: str) -> None:
    deep, deeper = (json.loads("[" * each + "]" * each) for each in (levels, levels + 1))
    body = review(operation, edited() | {"inference": deep}, edited() | {"inference": deeper})
    assert answer(body, AllRules("aks"))["status"]["code"] in (400, 422)


@pytest.mark.parametrize("provider", ["aks", "karpenter", "byo"])
def test_the_products_rules_are_applied(provider: str) -> None:
    bad = edited() | {"inference": None}
    message = answer(review("CREATE", bad), AllRules(provider))["status"]["message"]
    assert "Either Inference or Tuning must be specified, not neither" in message
