"""What no document may be: too deep, too large, or no JSON. Asked first, so that nothing later can be exhausted.

Whoever reads the text keeps the text's own limits (bytes, aliases, duplicate keys); these hold for whatever arrives.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.validation.problem import Problem

DEPTH_MAX: Final = 64
"""Levels of maps and lists. A pod template in a Workspace has about 15; Python's own limit is near 1000."""
VALUES_MAX: Final = 10_000
"""Values in one document. A Workspace with a pod template and what the API server keeps about its fields has 1,000."""
INTEGER_BITS: Final = 63
RULE: Final = "L1"


def unreadable(document: Any) -> Problem | None:
    """Why this value is no document that can be judged; None when it can. Does not recurse: depth is no matter."""
    if not isinstance(document, Mapping):
        return Problem(RULE, "", f"must be a map of fields, and a {type(document).__name__} was given")
    seen = 0
    waiting: list[tuple[str, Any, int]] = [("", document, 1)]
    while waiting:
        path, value, depth = waiting.pop()
        seen += 1
        if problem := _problem_of(value):
            return Problem(RULE, path, problem)
        if depth > DEPTH_MAX:
            return Problem(RULE, path[:200], f"is nested deeper than {DEPTH_MAX} levels")
        size = len(value) if isinstance(value, dict | list) else 0
        if seen + len(waiting) + size > VALUES_MAX:  # counted before they are looked at
            return Problem(RULE, "", f"holds more than {VALUES_MAX} values")
        waiting.extend((child_path, child, depth + 1) for child_path, child in _children(path, value))
    return None


def _children(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield (f"{path}.{str(key)[:80]}" if path else str(key)[:80]), child
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield f"{path}[{index}]", child


def _problem_of(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return next((_key_problem(key) for key in value if not isinstance(key, str)), None)
    if isinstance(value, bool | str | list) or value is None:
        return None
    if isinstance(value, int):
        return None if value.bit_length() <= INTEGER_BITS else "is a number of more than 64 bits"
    if isinstance(value, float):
        return None if value - value == 0 else "is no finite number"
    return f"is a {type(value).__name__}, which JSON does not have; write it in quotes"


def _key_problem(key: Any) -> str:
    return f"has a key that is a {type(key).__name__} and no string; write it in quotes"
