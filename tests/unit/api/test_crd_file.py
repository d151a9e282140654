"""The CRD file is the generated one, is structural, and prints what KAITO's users know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from api.resource.cel import KEY, rules, without_rules
from api.resource.cel.rule import Kind
from api.resource.crd import crd, crd_yaml
from api.resource.schema import structural_schema

FILE = Path(__file__).parents[3] / "deploy" / "crds" / "kaito.sh_workspaces.yaml"
VERSIONS = {entry["name"]: entry for entry in crd()["spec"]["versions"]}


def test_the_file_in_the_repository_is_the_generated_one() -> None:
    assert FILE.read_text() == crd_yaml(), f"run: python -m api.resource.crd > {FILE.relative_to(FILE.parents[2])}"


def test_the_yaml_holds_the_crd() -> None:
    assert yaml.safe_load(crd_yaml()) == crd()


def test_names_short_names_and_category_are_kaitos() -> None:
    names = crd()["spec"]["names"]
    assert (names["plural"], names["kind"], names["shortNames"]) == ("workspaces", "Workspace", ["wk", "wks"])
    assert names["categories"] == ["workspace"]
    assert crd()["spec"]["scope"] == "Namespaced"


def test_v1beta1_is_stored_both_are_served_with_a_status_subresource() -> None:
    assert {name: entry["storage"] for name, entry in VERSIONS.items()} == {"v1alpha1": False, "v1beta1": True}
    assert all(entry["served"] and entry["subresources"] == {"status": {}} for entry in VERSIONS.values())
    assert crd()["spec"]["conversion"] == {"strategy": "None"}


def test_columns_are_those_of_the_first_release_and_of_today() -> None:
    columns = {
        name: [column["name"] for column in entry["additionalPrinterColumns"]] for name, entry in VERSIONS.items()
    }
    assert columns["v1alpha1"] == ["Instance", "ResourceReady", "InferenceReady", "WorkspaceReady", "Age"]
    assert columns["v1beta1"] == [
        "Instance", "ResourceReady", "InferenceReady", "JobStarted", "WorkspaceSucceeded", "TargetNodeCount", "State",
        "Phase", "PerHour", "Spent", "SpentAsOf", "Age",
    ]  # fmt: skip
    ours = [one["name"] for one in VERSIONS["v1beta1"]["additionalPrinterColumns"] if one.get("priority")]
    assert ours == ["PerHour", "Spent", "SpentAsOf"], "what KAITO does not print is for -o wide"


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_is_structural_and_needs_no_recent_kubernetes_without_its_rules(version: str) -> None:
    allowed = {
        "type", "description", "properties", "items", "additionalProperties", "required", "default", "enum", "format",
        "minimum", "minLength", "maxLength", "pattern", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    }  # fmt: skip
    for path, node in nodes(without_rules(VERSIONS[version]["schema"]["openAPIV3Schema"])):
        assert isinstance(node["type"], str), path
        assert set(node) <= allowed, path


@pytest.mark.parametrize("version", VERSIONS)
def test_without_rules_nothing_but_rules_is_gone(version: str) -> None:
    schema = VERSIONS[version]["schema"]["openAPIV3Schema"]
    kept = dict(nodes(without_rules(schema)))
    ruled = {path: node for path, node in nodes(schema) if KEY in node}
    assert {"", ".inference", ".tuning", ".resource.count"} <= ruled.keys()
    for path, node in nodes(schema):
        assert set(node) - {KEY} == set(kept[path]), path


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rule_of_a_state_looks_at_what_was_there_before(version: str) -> None:
    """Otherwise a Workspace that breaks it already could not be given up: its finalizer could not be removed."""
    for rule in rules(version):
        wire = rule.wire()
        assert ("oldSelf" in wire["rule"]) is (rule.kind is not Kind.VALUE), rule
        assert wire.get("optionalOldSelf", False) is (rule.kind in (Kind.NEW, Kind.STATE)), rule


@pytest.mark.parametrize("version", VERSIONS)
def test_only_kaitos_harmless_defaults_are_injected(version: str) -> None:
    schema = VERSIONS[version]["schema"]["openAPIV3Schema"]
    assert {path: node["default"] for path, node in nodes(schema) if "default" in node} == {
        ".resource.count": 1,
        ".inference.preset.accessMode": "public",
        ".tuning.preset.accessMode": "public",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_says_what_it_is_for(version: str) -> None:
    schema = VERSIONS[version]["schema"]["openAPIV3Schema"]
    silent = [path for path, node in nodes(schema) if not path.endswith("[]") and not node.get("description")]
    assert silent == [".metadata"]


def test_deprecation_is_reported_in_v1beta1_only() -> None:
    marked = {
        name: {path for path, node in nodes(entry["schema"]["openAPIV3Schema"])
               if node.get("description", "").startswith("Deprecated")}
        for name, entry in VERSIONS.items()
    }  # fmt: skip
    assert marked["v1alpha1"] == set()
    assert {path.rsplit(".", 1)[-1] for path in marked["v1beta1"]} == {
        "count", "preferredNodes", "accessMode", "image", "imagePullSecrets",
    }  # fmt: skip


def test_a_field_of_two_types_has_no_structural_schema() -> None:
    class Odd(BaseModel):
        field: int | str

    with pytest.raises(ValueError, match="one type per field"):
        structural_schema(Odd)
