"""The chart's generated files are what they are generated from says, and everything in them is explained."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

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


def test_a_description_names_other_values_as_the_file_of_values_does() -> None:
    """They are docstrings of Python, whose names (`pod_subnet_id`) nobody can set in the chart."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    found = {
        (spelled, value) for value, text in _descriptions(schema) for spelled in re.findall(r"`([a-z.]+_\w+)`", text)
    }
    assert {spelled for spelled, _ in found} & _python_names(Values) == set(), found


def _descriptions(node: Any) -> Iterator[tuple[str, str]]:
    for name, child in node.get("properties", {}).items():
        yield name, child["description"]
        yield from _descriptions(child)


def _python_names(model: type[BaseModel]) -> set[str]:
    """Of all values that have another name in the chart, at any depth."""
    names = {name for name, field in model.model_fields.items() if (field.alias or name) != name}
    inner = [field.annotation for field in model.model_fields.values()]
    return names.union(*(_python_names(one) for one in inner if isinstance(one, type) and issubclass(one, BaseModel)))


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_value_sets_are_values(file: Any) -> None:
    Values.model_validate(_completed(yaml.safe_load(file.read_text()), Values().model_dump(by_alias=True)))


def _completed(given: Any, defaults: Any) -> Any:
    """As Helm does it: mappings are merged, everything else is replaced."""
    if not isinstance(given, dict) or not isinstance(defaults, dict):
        return given
    return defaults | {name: _completed(value, defaults.get(name)) for name, value in given.items()}
