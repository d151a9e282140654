"""Reads YAML that a user wrote, safely: bounded in size, depth and expansion, without tags, without doubled keys.

Values are built from the parser's events, so that a bound stops the work before memory is spent, and so that every
value knows its line. Plain scalars follow YAML 1.1, as KAITO's tools read them, with three harmless differences:
`1e-4` is a number, `1:30` and `2026-01-01` are text, and keys are always text.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from api.configs.problem import ConfigProblem

SIZE_MAX: Final = 64 * 1024
"""Bytes of UTF-8. Kubernetes allows 1 MiB for a whole ConfigMap; the largest real ones have 10 KiB."""
DEPTH_MAX: Final = 20
NODES_MAX: Final = 5000
"""Values, counted after aliases are expanded: nine levels of nine aliases are 3.5 * 10^8."""
Path = tuple[str | int, ...]
Value = Any
"""None, bool, int, float, str, list[Value] or dict[str, Value]."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
_INT = re.compile(r"[-+]?(0|[1-9][0-9_]{0,30})")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]{0,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Document:
    """One document: its value, and the line (from 1) of every key and item by its path."""

    value: Value
    lines: dict[Path, int]

    def line_of(self, path: Path) -> int | None:
        """The line of this path, or of its nearest existing parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_yaml(text: str) -> Document:
    """The single document in `text`; None if it is empty. Raises ConfigProblem with line and column."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ConfigProblem([("", "contains characters that are not text (lone surrogates)")]) from None
    if len(data) > SIZE_MAX:
        raise ConfigProblem([("", f"has {len(data)} bytes, and {SIZE_MAX} are allowed")])
    try:
        return _Builder(iter(yaml.parse(data, Loader=_LOADER))).document()
    except yaml.YAMLError as error:
        raise ConfigProblem([("", _syntax_message(error))]) from None


@dataclass
class _Anchored:
    value: Value
    nodes: int


@dataclass
class _Builder:
    events: Iterator[yaml.Event]
    nodes: int = 0
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)

    def document(self) -> Document:
        value: Value = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _at(event, "a second document begins; write one document")
                value = self.node(next(self.events), ())
        return Document(value, self.lines)

    def node(self, event: yaml.Event, path: Path) -> Value:
        if len(path) > DEPTH_MAX:
            raise _at(event, f"nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent), event
        if event.tag:
            raise _at(event, f"the tag {event.tag!r} is not allowed; remove it")
        before = self.nodes
        self.count(event, 1)
        value = self.value(event, path)
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(value, self.nodes - before)
        return value

    def value(self, event: yaml.Event, path: Path) -> Value:
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def alias(self, event: yaml.AliasEvent, path: Path) -> Value:
        """The anchor's value anew: whoever changes the one does not change the other."""
        known = self.anchors.get(event.anchor or "")
        if known is None:
            raise _at(event, f"the alias *{event.anchor} has no finished anchor before it")
        self.count(event, known.nodes)
        if len(path) + _height(known.value) > DEPTH_MAX:
            raise _at(event, f"nested deeper than {DEPTH_MAX} levels")
        return deepcopy(known.value)

    def count(self, event: yaml.Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > NODES_MAX:
            raise _at(event, f"more than {NODES_MAX} values, aliases expanded")

    def sequence(self, path: Path) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.lines[here] = _position(event)[0]
            items.append(self.node(event, here))
        return items

    def mapping(self, path: Path) -> dict[str, Value]:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag:
                raise _at(event, "a key must be plain text")
            self.count(event, 1)
            here = (*path, event.value)
            if event.value in own:
                raise _at(event, f"the key {event.value!r} is given twice; the first is on line {self.lines[here]}")
            self.lines[here] = _position(event)[0]
            if event.value == "<<" and event.implicit[0]:
                merged = self.merge(event, here) | merged
            else:
                own[event.value] = self.node(next(self.events), here)
        return merged | own

    def merge(self, event: yaml.Event, path: Path) -> dict[str, Value]:
        given = self.node(next(self.events), path)
        parts = given if isinstance(given, list) else [given]
        if not all(isinstance(part, dict) for part in parts):
            raise _at(event, "<< must be followed by an alias of a map")
        found: dict[str, Value] = {}
        for part in parts:  # the first one wins
            found = part | found
        return found


def scalar(text: str) -> Value:
    """The value of a plain scalar."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text.replace("_", ""))
        # 010 is 8 for some and 10 for others, JSON cannot represent 1e999: both stay text.
        octal = re.fullmatch(r"[-+]?0[0-9_]+", text)
        return text if octal or number in (float("inf"), float("-inf")) else number
    return text


def _height(value: Value) -> int:
    """Levels below this value."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _height(child) for child in children), default=0)


def _position(event: yaml.Event) -> tuple[int, int]:
    """Line and column, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _at(event: yaml.Event, message: str) -> ConfigProblem:
    line, column = _position(event)
    return ConfigProblem([("", f"line {line}, column {column}: {message}")])


def _syntax_message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}is not valid YAML: {message}"
