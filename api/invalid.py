"""What is wrong with a Workspace that cannot be read: paths and sentences.

Turns pydantic's errors into what the author needs: the path as written in the file, what was wrong, and the fix.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from api.schema import structural_schema

Problem = tuple[str, str]
REPORTED_MAX: Final = 100
"""Each unknown field is compared with the known ones, which nobody waits for ten thousand times."""


class InvalidWorkspace(ValueError):
    """The object is not a Workspace; `errors` lists every (path, message)."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in self.errors))


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every (path, message) of a pydantic error, in the words of the file's author; the first ones of very many."""
    return [(path_text(entry["loc"]), _message(entry, model)) for entry in error.errors()[:REPORTED_MAX]]


def path_text(location: Iterable[int | str]) -> str:
    """`inference.adapters[0].strength` from a list of keys and indexes."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _message(entry: Any, model: type[BaseModel]) -> str:
    location, given = entry["loc"], _shown(entry["input"])
    if entry["type"] == "missing":
        return "is required"
    if entry["type"] == "extra_forbidden":
        return _unknown_field(str(location[-1]), _fields_at(model, location[:-1]))
    if entry["type"].endswith("_type") and entry["type"] != "model_type":
        return f"{entry['msg'].removeprefix('Input ')}, and {given} was given"
    if entry["type"] in ("model_type", "dict_type"):
        return f"must be a map of fields, and {given} was given"
    return f"{entry['msg'].removeprefix('Input ')}; {given} was given"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _unknown_field(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"is not a known field; did you mean {near[0]!r}?"
    return f"is not a known field; known here: {', '.join(known)}"


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    node = structural_schema(model)
    for part in location:
        node = node["items"] if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return sorted(node.get("properties", {}))
