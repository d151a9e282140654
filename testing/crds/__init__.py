"""Kinds of other projects that the chart makes: their schemas, for validators, and as definitions for an API server.

`kinds.yaml` has them. What a program of these projects does with an object is left to them.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

Object = dict[str, Any]

VERSION: Final = "v1"


@cache
def _kinds() -> tuple[Object, ...]:
    return tuple(yaml.safe_load((Path(__file__).parent / "kinds.yaml").read_text()))


def is_of_others(found: Object) -> bool:
    """Whether the object's kind is one of these."""
    return any(found["kind"] == one["kind"] and _group(found) in one["groups"] for one in _kinds())


def validate(found: Object) -> None:
    """Raises jsonschema.ValidationError for a field that the kind does not have, or with a value that it cannot have;
    LookupError for another version or group of the kind."""
    for one in _kinds():
        if found["apiVersion"] in [f"{group}/{VERSION}" for group in one["groups"]] and found["kind"] == one["kind"]:
            metadata: Object = {"type": "object", "required": ["name", "namespace"]}
            fields = {"apiVersion": {}, "kind": {}, "metadata": metadata, "spec": one["spec"]}
            jsonschema.validate(found, _closed({"type": "object", "required": ["spec"], "properties": fields}))
            return
    raise LookupError(f"{found['apiVersion']} {found['kind']} is not in kinds.yaml")


def definitions() -> list[Object]:
    """Returns a CustomResourceDefinition for each kind and group."""
    return [_definition(one, group) for one in _kinds() for group in one["groups"]]


def _definition(one: Object, group: str) -> Object:
    schema = {"type": "object", "properties": {"spec": one["spec"]}}
    version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": one["kind"], "plural": one["plural"]}
    metadata = {"name": f"{one['plural']}.{group}"}
    # A name below k8s.io or kubernetes.io would need an approval; these do not.
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


def _closed(schema: Object) -> Object:
    """A field that is not listed is refused, as a strict API server does it."""
    copy = dict(schema)
    if "properties" in schema:
        copy["properties"] = {name: _closed(child) for name, child in schema["properties"].items()}
        copy["additionalProperties"] = False
    if "items" in schema:
        copy["items"] = _closed(schema["items"])
    return copy


def _group(found: Object) -> str:
    return str(found["apiVersion"]).partition("/")[0]
