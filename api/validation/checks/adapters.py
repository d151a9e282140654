"""`inference.adapters`: the same rules on create and update. KAITO checks them on update only, which is too late."""

import re
from collections.abc import Iterator
from typing import Final

from api import names
from api.validation.checks import data
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

ADAPTERS_MAX: Final = 10
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
NUMBER_MAX: Final = 32
"""Characters of a strength; the shortest text of any float64 has 24 at most."""


def adapters(draft: Draft) -> Iterator[Problem]:
    """C35, C36, U13: how many, which names, where from, how strong."""
    given = draft.inference["adapters"]
    found = list(given.items())
    if len(found) > ADAPTERS_MAX:
        message = f"Number of Adapters exceeds the maximum limit, maximum of {ADAPTERS_MAX} allowed"
        yield Problem("C35", given.path, f"{message}; {len(found)} were given")
        return
    if found and draft.inference["template"].given and not draft.inference["preset"].given:
        yield Problem("M9", given.path, "adapters are served beside a preset; a template brings its own server")
    for adapter in found:
        yield from _adapter(adapter)
    yield from _duplicates(found)


def _adapter(adapter: Part) -> Iterator[Problem]:
    if not adapter.is_map:
        return
    source = adapter["source"]
    if not source.given:
        yield Problem("U13", source.path, "missing field(s): Source")
    elif source.is_map:
        yield from _source(source)
    strength = adapter["strength"]
    if isinstance(strength.value, str):
        yield from _strength(strength, source["name"].text)


def _source(source: Part) -> Iterator[Problem]:
    name = source["name"]
    if not name.given or name.value == "":
        yield Problem("U13", name.path, "Name of Adapter field must be specified; clients ask for this model name")
    elif name.text and (problem := names.adapter_name_problem(name.text)):
        yield Problem("U13", name.path, f"invalid value: {problem}")
    if source["urls"].value:
        yield Problem("U13", source["urls"].path, "URLs are not supported as adapter source; use image or volumeSource")
    elif not source["image"].given and not source["volumeSource"].given:
        yield Problem("U13", source.path, "Either Image or Volume must be specified for adapter source")
    else:
        yield from data.one_source(source)
    yield from data.input_image(source["image"])


def _strength(strength: Part, name: str) -> Iterator[Problem]:
    if len(strength.text) > NUMBER_MAX or not _NUMBER.fullmatch(strength.text):
        message = f"Invalid strength value for Adapter '{name[:63]}': {shown(strength.text)}"
        yield Problem("U13", strength.path, f'{message} is not a number such as "0.5"')
    elif not 0 <= float(strength.text) <= 1:
        message = f"Strength value for Adapter '{name[:63]}' must be between 0 and 1"
        yield Problem("U13", strength.path, f"{message}; {shown(strength.text)} was given")


def _duplicates(found: list[Part]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for adapter in found:
        name = adapter["source"]["name"]
        if name.text and seen.setdefault(name.text, name.path) != name.path:
            yield Problem(
                "C36", name.path, f"Duplicate adapter source name found: {shown(name.text)}; each needs its own"
            )
