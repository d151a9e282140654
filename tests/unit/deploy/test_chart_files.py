"""The chart's generated files are what they are generated from says, and everything in them is explained."""

import json
from typing import Any

import pytest
import yaml

from deploy.chart_values.__main__ import CHART, generated
from deploy.chart_values.alerts_page import RULES
from deploy.chart_values.installation import Values

FILES = generated()
BY_HAND = {RULES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_file_is_what_is_generated(file: Any) -> None:
    assert file.read_text() == FILES[file], "run: python -m deploy.chart_values"


def test_no_file_is_left_over() -> None:
    assert {each for each in (CHART / "files").rglob("*") if each.is_file()} <= {*FILES, *BY_HAND}


def test_the_values_file_is_the_defaults() -> None:
    assert yaml.safe_load((CHART / "values.yaml").read_text()) == Values().model_dump(by_alias=True, mode="json")


def test_the_schema_refuses_unknown_keys_and_explains_every_value() -> None:
    def look(node: dict[str, Any], path: str) -> None:
        assert node["description"], path
        for name, child in node.get("properties", {}).items():
            look(child, f"{path}.{name}")
        assert "properties" not in node or node["additionalProperties"] is False, path

    look(json.loads((CHART / "values.schema.json").read_text()), "")


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_value_sets_are_values(file: Any) -> None:
    Values.model_validate(_completed(yaml.safe_load(file.read_text()), Values().model_dump(by_alias=True)))


def _completed(given: Any, defaults: Any) -> Any:
    """As Helm does it: mappings are merged, everything else is replaced."""
    if not isinstance(given, dict) or not isinstance(defaults, dict):
        return given
    return defaults | {name: _completed(value, defaults.get(name)) for name, value in given.items()}
