"""Refuses documents that are too deep, too large, or not JSON. Runs first, so that later checks stay bounded.

The parser of the text enforces the text's limits (bytes, aliases, duplicate keys); these apply to any input.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.validation.problem import Problem

DEPTH_MAX: Final = 64
"""Levels of maps and lists. A pod template in a Workspace has about 15; Python's own limit is near 1000."""
VALUES_MAX: Final = 10_000
"""Values in one document. A Workspace with a pod template and what the API server keeps about its fields has 1,000."""
INTEGER_BITS: Final = 63
RULE: Final = "L1"
QUOTES: Final = "write it in quotes"
_PLAIN: Final = (str, bool, type(None))


def unreadable(document: Any) -> Problem | None:
    """Returns why this value cannot be validated, or None. Does not recurse, so any depth is safe."""
    if not isinstance(document, Mapping):
        return Problem(RULE, "", f"must be a map of fields, and a {type(document).__name__} was given")
    seen = 1
    waiting: list[tuple[str, Any, int]] = [("", document, 1)]
    while waiting:
        path, value, depth = waiting.pop()
        if depth > DEPTH_MAX:
            return Problem(RULE, path[:200], f"is nested deeper than {DEPTH_MAX} levels")
        seen += len(value)
        if seen > VALUES_MAX:  # counted before they are visited
            return Problem(RULE, "", f"holds more than {VALUES_MAX} values")
        named = isinstance(value, Mapping)
        for key, child in value.items() if named else enumerate(value):
            if named and not isinstance(key, str):
                return Problem(RULE, path, f"has a key that is a {type(key).__name__}, not a string; {QUOTES}")
            if isinstance(child, _PLAIN):
                continue
            if isinstance(child, list | Mapping):
                waiting.append((_below(path, key), child, depth + 1))
            elif problem := _problem_of(child):
                return Problem(RULE, _below(path, key), problem)
    return None


def _below(path: str, key: str | int) -> str:
    """Only for what is looked into: most values are texts, and a document may hold ten thousand."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key[:80]}" if path else key[:80]


def _problem_of(value: Any) -> str | None:
    if isinstance(value, int):
        return None if value.bit_length() <= INTEGER_BITS else "is a number of more than 64 bits"
    if isinstance(value, float):
        return None if value - value == 0 else "is not a finite number"
    return f"is a {type(value).__name__}, which JSON does not have; {QUOTES}"
