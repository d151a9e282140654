"""Errors of a Workspace that cannot be parsed.

Turns pydantic's errors into messages for the author: the path as written in the file, the error, and the fix.
"""

import difflib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from api.resource.schema import structural_schema

Problem = tuple[str, str]
REPORTED_MAX: Final = 100
SUGGESTED_MAX: Final = 5
"""Unknown fields of one document that are compared with the known ones. Bounds the time to refuse a document with ten
thousand; no author mistypes more at a time."""
COMPARED_MAX: Final = 64
"""Characters of a name that are compared; the longest field has half as many."""


class InvalidWorkspace(ValueError):
    """The object is not a Workspace; `errors` lists every (path, message)."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in self.errors))


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every (path, message) of a pydantic error, in the file's terms; truncated if there are very many."""
    entries = error.errors(include_url=False, include_context=False)[:REPORTED_MAX]
    unknown = [id(entry) for entry in entries if entry["type"] == "extra_forbidden"][:SUGGESTED_MAX]
    return [(path_text(entry["loc"]), _message(entry, model, suggest=id(entry) in unknown)) for entry in entries]


def path_text(location: Iterable[int | str]) -> str:
    """`inference.adapters[0].strength` from a list of keys and indexes."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _message(entry: Any, model: type[BaseModel], *, suggest: bool) -> str:
    location = entry["loc"]
    if entry["type"] == "missing":
        return "is required"
    if entry["type"] == "extra_forbidden":
        known = _fields_at(model, tuple(0 if isinstance(part, int) else part for part in location[:-1]))
        return _unknown_field(str(location[-1]), known) if suggest else "is not a known field"
    given = _shown(entry["input"])
    if entry["type"].endswith("_type") and entry["type"] != "model_type":
        return f"{entry['msg'].removeprefix('Input ')}, and {given} was given"
    if entry["type"] in ("model_type", "dict_type"):
        return f"must be a map of fields, and {given} was given"
    return f"{entry['msg'].removeprefix('Input ')}; {given} was given"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _unknown_field(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:COMPARED_MAX], known, n=1)
    if near:
        return f"is not a known field; did you mean {near[0]!r}?"
    return f"is not a known field; known here: {', '.join(known)}"


@lru_cache(maxsize=128)
def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> Sequence[str]:
    """The known fields at a path; list indexes are ignored, since all items have the same fields."""
    node = structural_schema(model)
    for part in location:
        node = node["items"] if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return sorted(node.get("properties", {}))
