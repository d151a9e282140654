"""A Workspace is read with KAITO's defaults, and what is wrong is named by path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from api.resource.data import DataDestination, DataSource
from api.resource.invalid import InvalidWorkspace
from api.resource.model import AdapterSpec, InferenceSpec, PresetOptions, PresetSpec, TuningSpec
from api.resource.nodes import LabelSelector, Partition, ResourceSpec, SelectorRequirement
from api.resource.workspace import V1ALPHA1_INSTANCE_TYPE, Workspace, WorkspaceSpec

Build = Callable[..., dict[str, Any]]
SELECTOR = {"labelSelector": {"matchLabels": {"a": "b"}}}

DEFAULTS = [
    (WorkspaceSpec, {}, {"resource": None, "inference": None, "tuning": None}),
    (ResourceSpec, SELECTOR, {"count": 1, "instance_type": None, "preferred_nodes": None, "partition": None}),
    (LabelSelector, {}, {"match_labels": None, "match_expressions": None}),
    (SelectorRequirement, {"key": "a", "operator": "Exists"}, {"values": None}),
    (Partition, {"mode": "mig"}, {"profile": None, "count": None}),
    (PresetSpec, {"name": "phi"}, {"access_mode": "public", "preset_options": None}),
    (PresetOptions, {}, {"image": None, "image_pull_secrets": None, "model_access_secret": None}),
    (InferenceSpec, {}, {"preset": None, "template": None, "config": None, "adapters": None}),
    (AdapterSpec, {}, {"source": None, "strength": None}),
    (TuningSpec, {"input": {}, "output": {}}, {"preset": None, "method": None, "config": None}),
    (DataSource, {}, {"name": None, "urls": None, "volume_source": None, "image": None, "image_pull_secrets": None}),
    (DataDestination, {}, {"volume_source": None, "image": None, "image_push_secret": None}),
]


@pytest.mark.parametrize(("model", "given", "defaults"), DEFAULTS, ids=[model.__name__ for model, *_ in DEFAULTS])
def test_every_field_left_out_has_kaitos_default(
    model: type[BaseModel], given: dict[str, Any], defaults: dict[str, Any]
) -> None:
    read = model.model_validate(given)
    assert {field: getattr(read, field) for field in defaults} == defaults
    given_fields = {name for name, field in model.model_fields.items() if (field.alias or name) in given}
    assert set(model.model_fields) == set(defaults) | given_fields, "a field without a row in this table"


@pytest.mark.parametrize(
    ("model", "empty"),
    [(ResourceSpec, "labelSelector"), (Partition, "mode"), (PresetSpec, "name"), (TuningSpec, "input")],
)
def test_a_required_field_is_missed(model: type[BaseModel], empty: str) -> None:
    with pytest.raises(ValidationError, match=empty):
        model.model_validate({})


def test_a_valid_example_reads_and_writes_back_unchanged(valid_file: Path) -> None:
    obj = yaml.safe_load(valid_file.read_text())
    assert Workspace.parse(obj).to_wire() == obj


def test_an_invalid_example_is_refused_with_the_sentence_it_expects(invalid_file: Path) -> None:
    text = invalid_file.read_text()
    expected = [line.removeprefix("# expect: ") for line in text.splitlines() if line.startswith("# expect: ")]
    with pytest.raises(InvalidWorkspace) as refused:
        Workspace.parse(yaml.safe_load(text))
    assert [f"{path}: {message}" for path, message in refused.value.errors] == expected


def test_all_problems_are_reported_at_once(a_workspace: Build) -> None:
    obj = a_workspace(kind="Wrkspace", apiVersion="kaito.sh/v2", inference={"preset": {}}, metadata={"generation": 1})
    with pytest.raises(InvalidWorkspace) as refused:
        Workspace.parse(obj)
    assert [path for path, _ in refused.value.errors] == [
        "kind",
        "apiVersion",
        "inference.preset.name",
        "metadata.name",
    ]


def test_a_long_wrong_value_is_shortened_in_the_message(a_workspace: Build) -> None:
    with pytest.raises(InvalidWorkspace) as refused:
        Workspace.parse(a_workspace(inference=["x" * 5000]))
    assert len(str(refused.value)) < 200


def test_identity_and_metadata_are_at_hand(a_workspace: Build) -> None:
    obj = a_workspace()
    obj["metadata"] |= {"deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": ["f"], "resourceVersion": "17"}
    workspace = Workspace.parse(obj)
    assert (workspace.namespace, workspace.name, workspace.uid) == ("team-a", "phi", obj["metadata"]["uid"])
    assert workspace.metadata.deleting
    assert (workspace.metadata.generation, workspace.metadata.resource_version) == (3, "17")
    assert workspace.to_wire() == obj


def test_without_resource_one_node_of_no_particular_type_is_meant(a_workspace: Build) -> None:
    workspace = Workspace.parse(a_workspace(resource=None))
    assert (workspace.count, workspace.instance_type, workspace.match_labels) == (1, None, {})


def test_reserved_labels_are_not_the_users_own(a_workspace: Build) -> None:
    selector = {"matchLabels": {"apps": "phi", "kaito.sh/workspace": "phi"}}
    assert Workspace.parse(a_workspace(resource={"labelSelector": selector})).match_labels == {"apps": "phi"}


def managed(version: str, *fields: str) -> dict[str, Any]:
    return {"apiVersion": version, "manager": "kubectl", "fieldsV1": {field: {} for field in fields}}


@pytest.mark.parametrize(
    ("read_in", "managers", "machine"),
    [
        ("kaito.sh/v1alpha1", None, V1ALPHA1_INSTANCE_TYPE),
        ("kaito.sh/v1beta1", None, None),
        ("kaito.sh/v1beta1", [managed("kaito.sh/v1alpha1", "f:resource")], V1ALPHA1_INSTANCE_TYPE),
        ("kaito.sh/v1alpha1", [managed("kaito.sh/v1beta1", "f:resource")], None),
        ("kaito.sh/v1beta1", [managed("kaito.sh/v1beta1", "f:status"), managed("kaito.sh/v1alpha1", "f:resource")],
         V1ALPHA1_INSTANCE_TYPE),
    ],
    ids=["v1alpha1 file", "v1beta1 file", "v1alpha1 read in v1beta1", "v1beta1 read in v1alpha1", "status by another"],
)  # fmt: skip
def test_no_machine_type_means_what_its_author_meant(
    a_workspace: Build, read_in: str, managers: list[Any] | None, machine: str | None
) -> None:
    obj = a_workspace(apiVersion=read_in, resource=SELECTOR)
    if managers is not None:
        obj["metadata"]["managedFields"] = managers
    workspace = Workspace.parse(obj)
    assert workspace.instance_type == machine
    assert workspace.to_wire() == obj, "the default must not be written into the object"


@pytest.mark.parametrize(
    ("options", "secret"),
    [(None, None), ({}, None), ({"modelAccessSecret": ""}, None), ({"modelAccessSecret": "hf"}, "hf")],
)
def test_the_access_secret_is_found_where_one_is_given(options: dict[str, str] | None, secret: str | None) -> None:
    given = {"name": "m"} if options is None else {"name": "m", "presetOptions": options}
    assert PresetSpec.model_validate(given).access_secret == secret
