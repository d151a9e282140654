"""Whatever the CRD lets through is read without loss, in both versions; whatever it refuses is refused."""

from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from api.resource.cel import without_rules
from api.resource.crd import crd
from api.resource.invalid import InvalidWorkspace
from api.resource.schema import structural_schema
from api.resource.workspace import Workspace, WorkspaceSpec

Schema = dict[str, Any]
SPEC = structural_schema(WorkspaceSpec)
TEXT = st.text(max_size=6)
SCALARS = st.one_of(TEXT, st.integers(-3, 3), st.booleans(), st.just(0.5))


def instances(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the structural schema accepts."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind == "object":
        return objects(schema)
    if kind == "array":
        return st.lists(instances(schema["items"]), max_size=2)
    return st.integers(min_value=schema.get("minimum", -5), max_value=9) if kind == "integer" else TEXT


def objects(schema: Schema) -> st.SearchStrategy[Any]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return st.dictionaries(TEXT, st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2), max_leaves=3))
    if "properties" not in schema:
        return st.dictionaries(TEXT, instances(schema["additionalProperties"]), max_size=2)
    fields = {name: instances(child) for name, child in schema["properties"].items()}
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: value for name, value in fields.items() if name not in required},
    )


def as_object(spec: dict[str, Any], version: str = "kaito.sh/v1beta1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": "Workspace", "metadata": {"name": "w"}, **spec}


def closed(schema: Any) -> Any:
    """The schema as kubectl's validation reads it: fields that are not listed are errors."""
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and isinstance(schema.get("type"), str):
        shut["additionalProperties"] = False
    return shut


@given(instances(SPEC))
def test_every_spec_the_crd_accepts_is_read_and_written_back_unchanged(spec: dict[str, Any]) -> None:
    assert Workspace.parse(as_object(spec)).to_wire() == as_object(spec)


@given(instances(SPEC))
def test_going_through_the_other_version_and_back_loses_nothing(spec: dict[str, Any]) -> None:
    authored = Workspace.parse(as_object(spec))
    other = Workspace.parse(authored.to_wire("kaito.sh/v1alpha1"))
    assert other.spec == authored.spec
    assert Workspace.parse(other.to_wire("kaito.sh/v1beta1")).to_wire() == as_object(spec)


@given(instances(SPEC), st.data())
def test_the_models_and_the_crd_agree_on_what_is_wrong(spec: dict[str, Any], data: st.DataObject) -> None:
    spoiled = spoil(spec, data)
    accepted = jsonschema.Draft7Validator(closed(SPEC)).is_valid(spoiled)
    try:
        Workspace.parse(as_object(spoiled))
    except InvalidWorkspace as refused:
        assert not accepted, refused
    else:
        assert accepted


def spoil(value: Any, data: st.DataObject) -> Any:
    """The value with one place of it replaced, removed or added."""
    if not isinstance(value, dict) or not value or data.draw(st.integers(0, 4)) == 0:
        return data.draw(SCALARS) if value is not None and not isinstance(value, dict) else {**(value or {}), "odd": 1}
    key = data.draw(st.sampled_from(sorted(value)))
    if data.draw(st.integers(0, 4)) == 0:
        return {name: child for name, child in value.items() if name != key}
    return {**value, key: spoil(value[key], data)}


def test_both_versions_of_the_crd_know_the_same_fields() -> None:
    alpha, beta = (entry["schema"]["openAPIV3Schema"] for entry in crd()["spec"]["versions"])
    assert without_descriptions(without_rules(alpha)) == without_descriptions(without_rules(beta))


def without_descriptions(node: Any) -> Any:
    if isinstance(node, list):
        return [without_descriptions(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    # A *field* called description has a schema (a dict) as its value; the keyword has text.
    return {
        key: without_descriptions(value)
        for key, value in node.items()
        if key != "description" or isinstance(value, dict)
    }
