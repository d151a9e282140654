"""Warnings for fields that are accepted but no longer have an effect, or have another one; kubectl prints them.

The fields are marked as deprecated where they are defined, in `api/`; the schema carries the mark in their description.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from api import labels
from api.resource.schema import Schema, structural_schema
from api.resource.workspace import WorkspaceSpec

MARK: Final = "Deprecated in "


def deprecation_warnings(document: Mapping[str, Any]) -> list[str]:
    """Returns one sentence per deprecated field whose value differs from its default."""
    version = str(document.get("apiVersion")).removeprefix(f"{labels.GROUP}/")
    if version not in ("v1alpha1", "v1beta1"):
        return []
    return [
        f"{'.'.join(path)}: {node['description']}"
        for path, node in _deprecated(version)
        if _given(document, path) not in (None, node.get("default"))
    ]


@cache
def _deprecated(version: str) -> list[tuple[tuple[str, ...], Schema]]:
    return list(_marked(structural_schema(WorkspaceSpec, version=version), ()))


def _marked(node: Schema, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Fields of objects only: no field inside a list is deprecated."""
    for name, child in node.get("properties", {}).items():
        if str(child.get("description", "")).startswith(MARK):
            yield (*path, name), child
        yield from _marked(child, (*path, name))


def _given(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
