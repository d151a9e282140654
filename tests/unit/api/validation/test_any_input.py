"""Whatever arrives, there is an answer; and what was stored can be stored again."""

import copy
import time
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.resource.crd import crd
from api.validation import Problem
from api.validation.rules import rule_table
from presets.plan.judge import problems_on_create, problems_on_update
from tests.unit.api.validation.conftest import Builder

Obj = dict[str, Any]
EFFORT = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def _fields(schema: Obj) -> set[str]:
    names: set[str] = set(schema.get("properties", {}))
    for child in [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]:
        names |= _fields(child)
    return names


_NAMES = sorted(_fields(crd()["spec"]["versions"][1]["schema"]["openAPIV3Schema"]) | {
    "name", "annotations", "labels", "deletionTimestamp", "managedFields", "fieldsV1", "generateName", "containers",
    "kaito.sh/runtime", "kaito.sh/node-image-family", "modelyard.dev/node-provider", "persistentVolumeClaim",
})  # fmt: skip
_WORDS = st.sampled_from([
    "phi-4", "org/model", "falcon-40b", "Standard_NC24ads_A100_v4", "lora", "mig", "accelerator", "1g.10gb", "byo",
    "http://10.0.0.1", "https://e.org/a", "image:1", "In", "Exists", "0.5", "kaito.sh/v1alpha1", "kaito.sh/v1beta1",
    "Workspace", "f:resource", "", "\x00", "\ud800", "a" * 300,
])  # fmt: skip
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _WORDS
_KEYS = st.sampled_from(_NAMES) | st.text(max_size=8)
_ANYTHING = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6), max_leaves=30
)


def is_a_report(found: list[Problem]) -> bool:
    return all(problem.rule in rule_table() and problem.message and len(str(problem)) < 4000 for problem in found)


@EFFORT
@given(document=_ANYTHING)
def test_any_json_is_checked(document: Any) -> None:
    assert is_a_report(problems_on_create(document, config_maps={"params": {"data": document}}))


@EFFORT
@given(old=_ANYTHING, new=_ANYTHING)
def test_any_change_is_checked(old: Any, new: Any) -> None:
    assert is_a_report(problems_on_update(old, new))


@st.composite
def _mutations(draw: st.DrawFn) -> tuple[Obj, Obj]:
    """A valid Workspace and the same with one part replaced by anything."""
    build = Builder()
    make = draw(st.sampled_from([build.serving, build.tuning, build.own_nodes]))
    document = make({}, draw(st.sampled_from(["kaito.sh/v1alpha1", "kaito.sh/v1beta1"])))
    changed = copy.deepcopy(document)
    at: Any = changed
    while True:
        key = draw(st.sampled_from(list(at)) | _KEYS) if isinstance(at, dict) else draw(st.sampled_from([0]))
        inner = at.get(key) if isinstance(at, dict) else at[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            at[key] = draw(_ANYTHING)
            return document, changed
        at = inner


@EFFORT
@given(documents=_mutations())
def test_any_part_of_a_workspace_may_be_anything(documents: tuple[Obj, Obj]) -> None:
    document, changed = documents
    assert problems_on_create(document) == []
    assert is_a_report(problems_on_create(changed))
    assert is_a_report(problems_on_update(document, changed))


@EFFORT
@given(documents=_mutations())
def test_what_is_stored_may_be_stored_again(documents: tuple[Obj, Obj]) -> None:
    for document in documents:
        if not problems_on_create(document):
            assert problems_on_update(document, copy.deepcopy(document)) == []


@EFFORT
@given(documents=_mutations())
def test_an_invalid_stored_object_may_be_released(documents: tuple[Obj, Obj]) -> None:
    _, stored = documents
    changed = copy.deepcopy(stored)
    if not isinstance(changed.get("metadata"), dict):
        return
    changed["metadata"] |= {"finalizers": [], "resourceVersion": "8"}
    assert problems_on_update(stored, changed) == []


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (nested(100_000), "nested deeper than 64 levels"),
        ({"a": list(range(10_001))}, "more than 10000 values"),
        ({"a": 10**5000}, "more than 64 bits"),
        ({"a": float("-inf")}, "not a finite number"),
        ({"a": date(2026, 1, 1)}, "is a date"),
        ({"a": {1: 2}}, "a key that is a int"),
        ({"a": b"x"}, "is a bytes"),
        (None, "must be a map"),
        ([], "must be a map"),
    ],
    ids=["deep", "many", "huge", "infinite", "date", "key", "bytes", "nothing", "list"],
)
def test_an_invalid_document_is_refused_at_once(value: Any, says: str, build: Builder) -> None:
    document = build.serving() | {"extra": value} if isinstance(value, dict) else value
    found = problems_on_create(document)
    assert [problem.rule for problem in found] == ["L1"]
    assert says in found[0].message


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a-" * 500_000, "../" * 300_000, "1" * 1_000_000, "A" * 1_000_000])
def test_long_texts_take_no_long_time(text: str, build: Builder) -> None:
    """A regular expression or a comparison that grows faster than the text would take minutes here."""
    serving = build.serving({
        "metadata.name": text, "inference.preset.name": text, "resource.instanceType": text, "inference.config": text,
        "metadata.annotations[modelyard.dev/instance-type-fallbacks]": text,
        "resource.labelSelector.matchLabels": {text: text}, "resource.partition": {"mode": text, "profile": text},
        "inference.adapters": [{"source": {"name": text, "image": text}, "strength": text}],
    })  # fmt: skip
    tuning = build.tuning({"tuning.method": text, "tuning.input.urls": [text], "tuning.output.image": text})
    start = time.process_time()
    assert is_a_report(problems_on_create(serving))
    assert is_a_report(problems_on_create(tuning))
    assert time.process_time() - start < 5
