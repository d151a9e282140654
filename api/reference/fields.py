"""The page of fields: both versions of a Workspace, from the CRD, and the annotations."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from api import labels
from api.reference.markdown import code, page, paragraph, table
from api.reference.readers import ANNOTATIONS, reader_of
from api.resource.crd import crd
from api.resource.status import Phase, State, Step
from api.resource.workspace import V1ALPHA1_INSTANCE_TYPE

Schema = Mapping[str, Any]
_DEPRECATED: Final = "Deprecated in v1beta1. "
_CLOSED: Final[Mapping[str, type[StrEnum]]] = {"status.phase": Phase, "status.step": Step, "status.state": State}
"""Closed lists that the CRD calls plain strings, so that an older CRD never refuses a status."""


def fields_page() -> str:
    """Every field of both versions, and every annotation that a user can set."""
    versions = {entry["name"]: entry["schema"]["openAPIV3Schema"] for entry in crd()["spec"]["versions"]}
    rows = list(_fields(versions["v1beta1"]))
    spec = [_spec_row(*row) for row in rows if not row[0].startswith("status")]
    status = [_status_row(path, field) for path, field, _ in rows if path.startswith("status")]
    annotations = [[code(key), *ANNOTATIONS[key]] for key in sorted(ANNOTATIONS)]
    return page(
        "api.reference fields",
        "# Fields of a Workspace",
        paragraph(
            f"Both versions, `{labels.V1BETA1}` (stored) and `{labels.V1ALPHA1}`, have the same fields; there is no "
            "`spec` around them. What each may hold beyond its type is in [admission](admission.md); conditions and "
            "reasons are in [reasons](reasons.md)."
        ),
        paragraph(
            "The versions differ in one thing: a v1alpha1 Workspace with a `resource` section and no `instanceType` "
            f"means `{V1ALPHA1_INSTANCE_TYPE}`."
        ),
        "## What you write",
        table(["field", "type", "meaning", "read by"], spec),
        "## Annotations you can set",
        table(["annotation", "values", "meaning", "read by"], annotations),
        "## What is reported",
        table(["field", "type", "meaning"], status),
    )


def _fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Every field below this schema: its path, its schema, whether its parent requires it."""
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, child, name in schema.get("required", ())
        yield from _fields(child, here)
        if "items" in child:
            yield from _fields(child["items"], f"{here}[]")
        inner = child.get("additionalProperties")
        if isinstance(inner, Mapping):
            yield from _fields(inner, f"{here}.*")


def _spec_row(path: str, field: Schema, required: bool) -> list[str]:
    description = str(
        field.get("description", "Name, namespace, labels and annotations, as on every Kubernetes object.")
    )
    meaning = description.removeprefix(_DEPRECATED)
    mark = " *Deprecated in v1beta1.*" if meaning != description else ""
    return [code(path), type_words(field, required=required), meaning + mark, reader_of(path)]


def _status_row(path: str, field: Schema) -> list[str]:
    closed = _CLOSED.get(path)
    type_ = "one of " + ", ".join(code(value) for value in closed) if closed else type_words(field, required=False)
    return [code(path), type_, field["description"]]


def type_words(field: Schema, *, required: bool) -> str:
    """The type with its bounds, such as `integer, at least 1, required`."""
    parts = [_type_name(field)]
    parts += ["one of " + ", ".join(code(value) for value in field["enum"])] if "enum" in field else []
    parts += [f"at least {field['minimum']}"] if "minimum" in field else []
    parts += [f"at most {field['maxLength']} characters"] if "maxLength" in field else []
    parts += [f"default {code(field['default'])}"] if "default" in field else []
    parts += ["**required**"] if required else []
    return ", ".join(parts)


def _type_name(field: Schema) -> str:
    kind = str(field["type"])
    if kind == "array":
        return f"list of {_type_name(field['items'])}s"
    inner = field.get("additionalProperties")
    if isinstance(inner, Mapping):
        return f"map of {_type_name(inner)}s"
    if field.get("x-kubernetes-preserve-unknown-fields"):
        return "object, as Kubernetes defines it"
    return kind
