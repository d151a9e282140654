"""Each rule of an update, by its id; what an update may change; and what no update is refused for."""

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.validation.rules import rule_table
from presets.plan.judge import problems_on_create, problems_on_update
from tests.unit.api.validation.conftest import GONE, V1ALPHA1, V1BETA1, Builder

Obj = dict[str, Any]
BOTH, FIRST, LATER = (V1ALPHA1, V1BETA1), (V1ALPHA1,), (V1BETA1,)
BYO = "metadata.annotations[modelyard.dev/node-provider]"
VOLUME = {"persistentVolumeClaim": {"claimName": "p"}}
TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}
IMMUTABLE = "field is immutable"


@dataclass(frozen=True)
class Case:
    """`old` are changes of the builder's object, `refused` and `accepted` are changes of that."""

    rule: str
    kind: str
    refused: Obj
    path: str
    says: str
    old: Obj = field(default_factory=dict)
    accepted: Obj = field(default_factory=dict)
    versions: tuple[str, ...] = BOTH


def selector(**labels: str) -> Obj:
    return {"resource.labelSelector": {"matchLabels": labels}}


REPLICAS = "metadata.annotations[modelyard.dev/replicas]"
BEFORE = {"resource.count": 2, "status.plan": {"nodes": 2}}
"""Planned when the count of a preset meant replicas."""
CASES = [
    Case("U1", "serving", {"inference": GONE}, "inference", "Inference field cannot be toggled once set"),
    Case("U1", "tuning", {"inference": {"preset": {"name": "phi-4"}}}, "inference",
         "Inference field cannot be toggled once set"),
    Case("U2", "tuning", {"tuning": GONE}, "tuning", "Tuning field cannot be toggled once set"),
    Case("U3", "serving", {"resource.count": 2}, "resource.count", IMMUTABLE, accepted={"resource.count": 1}),
    Case("U4", "serving", {"resource.instanceType": "Standard_NC6s_v3"}, "resource.instanceType", IMMUTABLE,
         versions=FIRST),
    Case("U4", "serving", {"resource.instanceType": "Standard_NC6s_v3"}, "resource.instanceType", IMMUTABLE,
         {"resource.instanceType": GONE}, {"resource.instanceType": "Standard_NC24ads_A100_v4"}, FIRST),
    Case("U5", "serving", {"resource.instanceType": "Standard_NC6s_v3"}, "resource.instanceType",
         "instanceType cannot be changed once set when node auto-provisioning is enabled",
         accepted={"resource.instanceType": "standard_nc24ads_a100_v4"}, versions=LATER),
    Case("C8", "serving", {"resource.instanceType": GONE}, "resource.instanceType",
         "instanceType is required when node auto-provisioning is enabled", versions=LATER),
    Case("C9", "own_nodes", {"resource.instanceType": "Standard_NC6s_v3"}, "resource.instanceType",
         "instanceType must be empty", versions=LATER),
    Case("U6", "own_nodes", {"resource.instanceType": "Standard_NC12s_v3"}, "resource.instanceType",
         "instanceType cannot be changed once set", {"resource.instanceType": "Standard_NC6s_v3"},
         {"resource.instanceType": GONE}, LATER),
    Case("U7", "serving", selector(apps="other"), "resource.labelSelector", IMMUTABLE,
         accepted={"resource.labelSelector": {"matchExpressions": [
             {"key": "apps", "operator": "In", "values": ["phi"]}]}}),
    Case("U8", "own_nodes", {"resource.partition": {"mode": "mig", "profile": "2g.20gb"}}, "resource.partition",
         IMMUTABLE, {"resource.partition": {"mode": "mig", "profile": "1g.10gb"}}),
    Case("C7", "serving", {"metadata.annotations[kaito.sh/node-class-name]": "theirs"},
         "metadata.annotations[kaito.sh/node-class-name]", "not a KAITO-managed NodeClass",
         {BYO: "karpenter", "metadata.annotations[kaito.sh/node-class-name]": "mine"}),
    Case("U11", "serving", {"inference.preset.name": "phi-4"}, "inference.preset", IMMUTABLE,
         accepted={"inference.preset": {"name": "phi-4-mini-instruct", "accessMode": "public", "presetOptions": {}}}),
    Case("U11", "serving", {"inference.preset.presetOptions": {"modelAccessSecret": "s"}}, "inference.preset",
         IMMUTABLE),
    Case("U12", "serving", {"inference": {"template": TEMPLATE}}, "inference.template",
         "field cannot be set if it was unset"),
    Case("U12", "serving", {"inference": {"preset": {"name": "phi-4"}}}, "inference.template",
         "field cannot be unset if it was set", {"inference": {"template": TEMPLATE}},
         {"inference.template.spec.replicas": 1}),
    Case("U13", "serving", {"inference.adapters": [{"source": {"name": "UPPER", "image": "i:1"}}]},
         "inference.adapters[0].source.name", "invalid value",
         accepted={"inference.adapters": [{"source": {"name": "lower", "image": "i:1"}}]}),
    Case("C36", "serving", {"inference.adapters": [{"source": {"name": "a", "image": "i:1"}}] * 2},
         "inference.adapters[1].source.name", "Duplicate adapter source name found"),
    Case("U15", "tuning", {"tuning.preset.name": "phi-4"}, "tuning.preset", "Preset cannot be changed"),
    Case("U15", "tuning", {"tuning.method": "lora"}, "tuning.method", "Method cannot be changed",
         accepted={"tuning.method": "QLoRA"}),
    Case("C43", "tuning", {"tuning.input": GONE}, "tuning.input", "missing field(s): Input"),
    Case("U16", "tuning", {"tuning.input.name": "other"}, "tuning.input.name",
         "During tuning Name field cannot be changed once set",
         accepted={"tuning.input": {"name": "talks", "image": "registry.example.com/talks:2"}}),
    Case("C46", "tuning", {"tuning.input": {"name": "talks", "image": "A"}}, "tuning.input.image",
         "invalid reference format"),
    Case("C48", "tuning", {"tuning.input.urls": ["http://10.0.0.1/x"]}, "tuning.input.urls[0]",
         "loopback, private, or link-local", accepted={"tuning.input.urls": ["https://data.example.com/more"]}),
    Case("M26", "serving", {REPLICAS: "3"}, REPLICAS, "2 replicas are there, and 3 are asked for", {REPLICAS: "2"},
         {REPLICAS: " 2"}),
    Case("M26", "serving", {REPLICAS: "1"}, REPLICAS, "2 replicas are there", BEFORE, {REPLICAS: "2"}),
    Case("M13", "serving", {BYO: "karpenter"}, BYO, IMMUTABLE, {BYO: "aks"}),
]  # fmt: skip


def _expanded() -> list[Any]:
    return [
        pytest.param(case, version, id=f"{case.rule}-{version.rpartition('/')[2]}-{number}")
        for number, case in enumerate(CASES)
        for version in case.versions
    ]


@pytest.mark.parametrize(("case", "version"), _expanded())
def test_the_rule_refuses_the_change(case: Case, version: str, build: Builder) -> None:
    make = getattr(build, case.kind)
    found = problems_on_update(make(case.old, version), make(case.old | case.refused, version))
    matching = [problem for problem in found if (problem.rule, problem.path) == (case.rule, case.path)]
    assert matching, f"not refused by {case.rule} at {case.path}; found {found}"
    assert case.says in matching[0].message


@pytest.mark.parametrize(("case", "version"), _expanded())
def test_the_change_beside_it_is_accepted(case: Case, version: str, build: Builder) -> None:
    make = getattr(build, case.kind)
    assert problems_on_update(make(case.old, version), make(case.old | case.accepted, version)) == []


def test_each_rule_of_updates_has_a_case() -> None:
    assert {row.id for row in rule_table().values() if row.asked == "update"} <= {case.rule for case in CASES}


def test_streaming_may_be_switched_because_nothing_acts_on_it(build: Builder) -> None:
    changed = build.serving({"metadata.annotations[kaito.sh/model-streaming]": "disabled"})
    assert rule_table()["U10"].asked == "never"
    assert problems_on_update(build.serving(), changed) == []


INVALID: dict[str, Obj] = {
    "no machine, since before nodes were bought": {"resource.instanceType": GONE},
    "an adapter that was never judged": {"inference.adapters": [{"source": {"name": "UPPER"}}, {}]},
    "a field that is no more": {"inference.replicas": 3},
    "two purposes": {"tuning": {"preset": {"name": "x"}}},
    "a preset that left the catalogue": {"inference.preset.name": "falcon-1b"},
    "a machine that left the table": {"resource.instanceType": "Standard_NC6"},
    "a selector with expressions": {"resource.labelSelector.matchExpressions": [{"key": "a", "operator": "Exists"}]},
    "wrong types everywhere": {"resource": "x", "inference": [1], "tuning": 7},
}


@pytest.fixture(params=INVALID, ids=list(INVALID))
def stored(request: pytest.FixtureRequest, build: Builder) -> Obj:
    """A Workspace that was stored under other rules and would be refused today."""
    document = build.serving(INVALID[request.param])
    assert problems_on_create(document) != []
    return document


def test_its_finalizers_labels_and_status_can_be_written(stored: Obj) -> None:
    changed = copy.deepcopy(stored)
    changed["metadata"] |= {"finalizers": ["workspace.finalizer.kaito.sh"], "labels": {"a": "b"}, "generation": 2}
    changed["status"] = {"phase": "Failed", "conditions": "not even a list"}
    assert problems_on_update(stored, changed) == []


def test_it_can_be_annotated(stored: Obj) -> None:
    changed = copy.deepcopy(stored)
    changed["metadata"]["annotations"] |= {"note": "x", "kaito.sh/performance-mode": "throughput"}
    assert problems_on_update(stored, changed) == []


def test_a_wrong_annotation_is_still_refused(stored: Obj) -> None:
    changed = copy.deepcopy(stored)
    changed["metadata"]["annotations"]["kaito.sh/performance-mode"] = "fast"
    assert [problem.rule for problem in problems_on_update(stored, changed)] == ["C5"]


def test_it_may_be_deleted_whatever_is_changed_with_it(stored: Obj) -> None:
    changed = {"apiVersion": 7, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "resource": []}
    assert problems_on_update(stored, changed) == []


@pytest.mark.parametrize("extra", [[0] * 20_000, {1: 2}, float("nan")], ids=["large", "no JSON", "no number"])
def test_an_object_that_cannot_be_checked_may_be_released_and_deleted(extra: Any, build: Builder) -> None:
    stored = build.serving({"inference.template": {"x": extra}})
    released, deleted = copy.deepcopy(stored), copy.deepcopy(stored)
    released["metadata"]["finalizers"] = ["workspace.finalizer.kaito.sh"]
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    changed = build.serving({"inference.template": {"x": extra}, "resource.count": 2})
    assert problems_on_update(stored, released) == []
    assert problems_on_update(stored, deleted) == []
    assert [problem.rule for problem in problems_on_update(stored, changed)] == ["L1"]


def test_another_wrong_value_in_the_same_place_is_refused(build: Builder) -> None:
    def leading_to(path: str) -> Obj:
        return build.tuning({"tuning.input.urls": [f"http://10.0.0.1/{path}"]})

    found = problems_on_update(leading_to("a"), leading_to("b"))
    assert [(problem.rule, problem.path) for problem in found] == [("C48", "tuning.input.urls[0]")]


def test_long_wrong_values_with_the_same_beginning_are_distinguished(build: Builder) -> None:
    def named(end: str) -> Obj:
        return build.serving({"inference.preset.name": "a" * 500 + end})

    assert problems_on_update(named("b"), named("b")) == []
    assert "C10" in [problem.rule for problem in problems_on_update(named("b"), named("c"))]


def test_an_unreadable_old_object_means_that_the_new_one_is_checked_as_new(build: Builder) -> None:
    assert problems_on_update({"a": float("inf")}, build.serving()) == []
    assert problems_on_update("no object", build.serving({"metadata.name": "A"})) != []


def test_a_machine_missing_after_a_change_of_version_is_refused(build: Builder) -> None:
    """A v1alpha1 author without instanceType has KAITO's machine; the v1beta1 author of the same file has none."""

    def owned_by(version: str) -> Obj:
        document = build.serving({"resource.instanceType": GONE})
        document["metadata"]["managedFields"] = [{"apiVersion": version, "fieldsV1": {"f:resource": {}}}]
        return document

    found = problems_on_update(owned_by(V1ALPHA1), owned_by(V1BETA1))
    assert {problem.rule for problem in found} == {"C8", "U5"}


def test_a_host_that_the_operator_allows_is_accepted(build: Builder) -> None:
    document = build.tuning({"tuning.input.urls": ["http://mirror.internal/data.parquet"]})
    assert [problem.rule for problem in problems_on_create(document)] == ["C48"]
    assert problems_on_create(document, allowed_hosts=["mirror.internal"]) == []
