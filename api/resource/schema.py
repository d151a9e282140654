"""Generates structural (apiextensions v1) schemas from pydantic models.

Kubernetes requires every type inline: no $ref, no anyOf with null, no additionalProperties: false, no
titles.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
DEPRECATED_KEY = "x-modelyard-deprecated-in"  # our mark on a field; becomes a sentence of its description
_DROPPED = frozenset({"title", "$defs", DEPRECATED_KEY})


@cache
def _raw(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(by_alias=True, mode="validation")


def structural_schema(model: type[BaseModel], *, version: str = "v1beta1") -> Schema:
    """The model's schema for that version of the API; versions differ in what is described as deprecated."""
    raw = _raw(model)
    return _structural(raw, raw.get("$defs", {}), version)


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Any], version: str) -> Schema:
    merged = _resolved(node, definitions)
    deprecated = merged.get(DEPRECATED_KEY) == version
    schema: Schema = {}
    for key, value in merged.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "properties":
            schema[key] = {name: _structural(child, definitions, version) for name, child in value.items()}
        elif key == "items":
            schema[key] = _structural(value, definitions, version)
        elif key == "additionalProperties":
            if isinstance(value, Mapping):
                schema[key] = _structural(value, definitions, version)
        else:
            schema[key] = value
    if deprecated:
        schema["description"] = f"Deprecated in {version}. {schema.get('description', '')}".strip()
    return schema


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """The node with its $ref, or the one non-null branch of its anyOf, written out; its own keys win."""
    own = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions) | own
    branches = [branch for branch in node.get("anyOf", []) if branch.get("type") != "null"]
    if not branches:
        return own
    if len(branches) > 1:
        raise ValueError(f"a structural schema has one type per field, and this one has several: {node}")
    return _resolved(branches[0], definitions) | own
