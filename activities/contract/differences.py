"""Computes the differences between two JSON documents, so that similar documents need little space. Pure.

Differences map JSON pointers (RFC 6901) to the second document's value there. Objects with the same keys and arrays of
the same length are compared entry by entry; everything else is replaced as a whole.
"""

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import JsonValue

Differences = dict[str, JsonValue]


def differences(first: JsonValue, second: JsonValue, pointer: str = "") -> Differences:
    """Returns what turns `first` into `second`; {} if they are equal. `pointer` is the location of both."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return _of_each((f"{pointer}/{_escaped(key)}", first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return _of_each((f"{pointer}/{place}", first[place], second[place]) for place in range(len(first)))
    # JSON's types: Python holds 1 and True to be equal.
    return {} if json.dumps(first) == json.dumps(second) else {pointer: second}


def changed(first: JsonValue, found: Mapping[str, JsonValue]) -> JsonValue:
    """Applies `found`, the result of `differences`, to `first`."""
    document: Any = copy.deepcopy(first)
    for pointer, value in found.items():
        if not pointer:
            return value
        *way, last = pointer.split("/")[1:]
        place = document
        for token in way:
            place = place[_key(place, token)]
        place[_key(place, last)] = value
    return document  # type: ignore[no-any-return]


def _of_each(places: Iterable[tuple[str, JsonValue, JsonValue]]) -> Differences:
    found: Differences = {}
    for pointer, first, second in places:
        found |= differences(first, second, pointer)
    return found


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _key(place: Any, token: str) -> str | int:
    return int(token) if isinstance(place, list) else token.replace("~1", "/").replace("~0", "~")
