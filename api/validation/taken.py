"""What is taken though it does nothing, or more than it seems: one list, told by webhook, `validate` and `plan` alike.

The list is `taken.yaml`. `presets/plan/judge.py` adds the notes of the two ConfigMaps, which are `api/configs`'.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict

from api import labels
from api.configs.problem import nearest
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

NOTE: Final = "N1"
"""The rule of all notes: it refuses nothing."""
UNKNOWN_MAX: Final = 5
_OURS: Final = ("kaito.sh/", "modelyard.dev/")
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Taken(BaseModel):
    """One row. `only` is the one value that it is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str
    note: str
    unless: tuple[str, ...] = ()
    only: str = ""
    kinds: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()

    def is_about(self, draft: Draft, part: Part) -> bool:
        """Whether this Workspace's author is told."""
        text = str(part.value)
        return (
            part.given
            and text not in self.unless
            and self.only in ("", text)
            and (not self.kinds or draft.kind in self.kinds)
            and (not self.providers or draft.provider in self.providers)
        )


@cache
def taken() -> tuple[Taken, ...]:
    """The whole list."""
    document = yaml.load(files("api.validation").joinpath("taken.yaml").read_text(), Loader=_LOADER)
    return tuple(Taken.model_validate(row) for row in document["taken"])


def notes(draft: Draft) -> Iterator[Problem]:
    """What the author of this Workspace is told; nothing of it is wrong."""
    kept = draft.kind == "preset" and draft.replicas > 1 and draft.replicas == draft.count
    for row in taken():
        part = _part(draft, row.at)
        if row.is_about(draft, part) and not (kept and row.at == "resource.count"):
            yield Problem(NOTE, part.path, row.note)
    if kept and not draft.annotation(labels.REPLICAS).given:
        hint = f"write {labels.REPLICAS}: '{draft.count}' to say so"
        message = f"was planned as {draft.count} replicas, and they are kept; {hint}"
        yield Problem(NOTE, draft.resource["count"].path, message)
    yield from islice(_unknown(draft), UNKNOWN_MAX)


def _part(draft: Draft, at: str) -> Part:
    if "/" in at:
        return draft.annotation(at)
    part = draft.root
    for key in at.split("."):
        part = part[key]
    return part


def _unknown(draft: Draft) -> Iterator[Problem]:
    """Annotations of our domains that nobody reads: a misspelled one is worth a word."""
    for key in draft.metadata["annotations"].mapping:
        if key.startswith(_OURS) and key not in labels.USER_ANNOTATIONS:
            message = f"{shown(key)} is not a known annotation and does nothing{nearest(key, labels.USER_ANNOTATIONS)}"
            yield Problem(NOTE, draft.annotation(key).path, message)
