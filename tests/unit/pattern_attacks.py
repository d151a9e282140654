"""Finds the regular expressions of the product, and makes the texts on which each would be slowest.

A pattern is found in the source and evaluated in its module. What is tried on it follows from its parts: each part that
may repeat without end is repeated, after a text that leads to it, and ends in something that does not match.
"""

import ast
import importlib
import re
import re._parser as parser  # type: ignore[import-not-found]  # the standard library's own reading of a pattern
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("api", "presets", "activities", "workflows", "process", "worker", "watcher", "admin", "runtime", "cli")
METHODS: Final = ("match", "fullmatch", "search", "finditer", "findall", "split", "sub", "subn")
_ASKING: Final = frozenset(f"re.{name}" for name in ("compile", *METHODS))
SHORT: Final = 128
"""A part that repeats at most so often costs at most so much for each character."""
FLAGS: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.ASCII | re.VERBOSE


@dataclass(frozen=True)
class Found:
    """One pattern, and the methods by which the product asks it."""

    place: str
    pattern: "re.Pattern[Any]"
    methods: tuple[str, ...]


def product_files() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def patterns() -> Iterator[Found]:
    """Every pattern that the product's source gives to `re`, but those that are only variables there."""
    texts = {file: file.read_text() for file in product_files()}
    everything = "\n".join(texts.values())
    for file, text in texts.items():
        for call in _calls(text):
            if not isinstance(call.args[0], ast.Name):
                yield _found(file, text, call, everything)


def variables() -> set[str]:
    """Files that give `re` a pattern which is not written there."""
    return {
        file.relative_to(ROOT).as_posix()
        for file in product_files()
        for call in _calls(file.read_text())
        if isinstance(call.args[0], ast.Name)
    }


def _calls(text: str) -> Iterator[ast.Call]:
    if "re." not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _ASKING:
            yield node


def _found(file: Path, text: str, call: ast.Call, everything: str) -> Found:
    assert isinstance(call.func, ast.Attribute)
    place = f"{file.relative_to(ROOT).as_posix()}:{call.lineno}"
    flags = [part for part in (*call.args[1:], *(word.value for word in call.keywords)) if "re." in ast.unparse(part)]
    made = re.compile(_value(file, call.args[0]), _value(file, flags[0]) if flags else 0)
    if call.func.attr != "compile":
        return Found(place, made, (call.func.attr,))
    named = re.search(r"^(\w+)", text.splitlines()[call.lineno - 1])
    asked = (
        re.findall(rf"\b{named[1]}\.({'|'.join(METHODS)})\(", text if named[1][0] == "_" else everything)
        if named
        else ()
    )
    return Found(place, made, tuple(dict.fromkeys(asked)) or ("match", "fullmatch", "search"))


def _value(file: Path, expression: ast.expr) -> Any:
    if isinstance(expression, ast.Constant):
        return expression.value
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return eval(ast.unparse(expression), vars(importlib.import_module(module)) | {"re": re})


def attacks(pattern: "re.Pattern[Any]", length: int) -> Iterator[Any]:
    """Texts of about this length, as bytes where the pattern is one for bytes."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    leads, pumps = {""}, {" ", "x", "0"}
    _collect(list(parser.parse(text, pattern.flags & FLAGS)), "", leads, pumps)
    for lead in sorted(leads):
        for pump in sorted(pumps | leads - {""}):
            for end in ("", "\x00"):
                made = (lead + pump * (length // len(pump)))[: length - len(end)] + end
                yield made if isinstance(pattern.pattern, str) else made.encode("latin-1", "replace")


def _collect(parts: list[Any], lead: str, leads: set[str], pumps: set[str]) -> str:
    """Adds what leads to each endless part and what repeats there; returns a text that all the parts match."""
    for operation, given in parts:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, inner = given
            if most > SHORT:
                leads.add(lead)
            once = _collect(list(inner), lead, leads, pumps)[len(lead) :]
            if most > SHORT and once:
                pumps.add(once)
            lead += once * least
        elif name == "SUBPATTERN":
            lead = _collect(list(given[3]), lead, leads, pumps)
        elif name == "ATOMIC_GROUP":
            lead = _collect(list(given), lead, leads, pumps)
        elif name == "BRANCH":
            lead, *_ = [_collect(list(branch), lead, leads, pumps) for branch in given[1]]
        elif name == "LITERAL":
            lead += chr(given)
        elif name == "NOT_LITERAL":
            lead += "x" if given != ord("x") else "y"
        elif name == "ANY":
            lead += "x"
        elif name == "IN":
            members = _members(given)
            pumps.update(members)
            lead += members[0]
    return lead


def _members(given: list[Any]) -> list[str]:
    """A few characters of a class, one of each of its parts; for a class of what is not in it, letter and digit."""
    kinds = {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}
    if str(given[0][0]) == "NEGATE":
        excluded = {chr(value) for name, value in given[1:] if str(name) == "LITERAL"}
        return [one for one in ("a", "0", "-", "(", "[", "\\") if one not in excluded]
    found = []
    for name, value in given:
        if str(name) == "LITERAL":
            found.append(chr(value))
        elif str(name) == "RANGE":
            found.append(chr(value[1]))
        elif str(name) == "CATEGORY":
            found.append(kinds.get(str(value), "!"))
    return found
