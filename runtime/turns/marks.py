"""Puts marks into the parts of messages: a text, a thought, a tool call. Pure; nothing is rendered here.

A mark is a short word that occurs nowhere else. Where a template shows a part it shows the mark in it, whatever it
strips, moves, splits or encodes around it. `places.py` looks for them in the rendered text.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from api.pods.training_messages import THOUGHTS, Message

THOUGHT_ENDS: Final = "</think>"
THOUGHT_BEGINS: Final = "<think>"
_SYSTEM: Final = ("system", "developer")
_RESULTS: Final = ("tool", "ipython", "function")


class Kind(StrEnum):
    """What a part is to the reader of a warning."""

    SYSTEM = "system prompts"
    QUESTION = "questions"
    RESULT = "results of tools"
    TOOLS = "lists of tools"
    THOUGHT = "thoughts"
    CALL = "tool calls"
    ANSWER = "answers"


ASSISTANTS: Final = frozenset({Kind.THOUGHT, Kind.CALL, Kind.ANSWER})


class Style(StrEnum):
    """Where marks are put into a part: at both ends, at its end, in its middle, behind its first character or before
    its last, or into a name of it. The later ones are for templates that look at how a text begins or ends."""

    BOTH = "both"
    END = "end"
    MIDDLE = "middle"
    SECOND = "second"
    LAST = "last"
    NAME = "name"


@dataclass(frozen=True)
class Part:
    """A piece of one message: characters `begin` to `end` of a text, or the tool call of this number."""

    message: int
    kind: Kind
    field: str
    begin: int = 0
    end: int = 0
    number: int = 0


@dataclass(frozen=True)
class Mark:
    """A part with its marks. Without `opening` only the closing one is put."""

    part: Part
    style: Style
    opening: str
    closing: str


def parts_of(messages: Sequence[Message]) -> list[Part]:
    """Returns all parts that are not empty, in the order of the messages."""
    return [part for at, message in enumerate(messages) for part in _parts(at, message)]


def marked(messages: Sequence[Message], marks: Sequence[Mark]) -> list[Message]:
    """Returns a copy of the messages with the marks in them."""
    concerned = {mark.part.message for mark in marks}
    found = [copy.deepcopy(dict(message)) if at in concerned else message for at, message in enumerate(messages)]
    # From the last character to the first: the places of earlier ones stay as they are.
    for mark in sorted(marks, key=lambda mark: -mark.part.begin):
        message, part = found[mark.part.message], mark.part
        if part.kind is Kind.CALL:
            message["tool_calls"][part.number] = _marked_call(message["tool_calls"][part.number], mark)
        else:
            message[part.field] = _marked_text(message[part.field], mark)
    return found


def text_before(messages: Sequence[Message], mark: Mark) -> str:
    """Returns the part's own text before the closing mark; nothing of a tool call, which templates write their way."""
    part = mark.part
    return "" if part.kind is Kind.CALL else str(messages[part.message][part.field])[part.begin : _closes(mark)]


def calls_of(message: Message) -> Sequence[Any]:
    """Returns the message's tool calls; none where there is no list of them."""
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list | tuple) else ()


def _parts(at: int, message: Message) -> list[Part]:
    content = message.get("content")
    text = content if isinstance(content, str) else ""
    if message["role"] != "assistant":
        return [_text(at, _kind(message["role"]), "content", text, 0, len(text))] if text.strip() else []
    found = [
        _text(at, Kind.THOUGHT, key, value, 0, len(value))
        for key in THOUGHTS
        if isinstance(value := message.get(key), str) and value.strip()
    ]
    found += _thought_and_answer(at, text)
    calls = enumerate(calls_of(message))
    return found + [Part(at, Kind.CALL, "tool_calls", number=n) for n, call in calls if isinstance(call, Mapping)]


def _thought_and_answer(at: int, text: str) -> list[Part]:
    ends = text.rfind(THOUGHT_ENDS)
    if ends < 0:
        return [_text(at, Kind.ANSWER, "content", text, 0, len(text))] if text.strip() else []
    begins = text.find(THOUGHT_BEGINS, 0, ends)
    begins = 0 if begins < 0 else begins + len(THOUGHT_BEGINS)
    pieces = ((Kind.THOUGHT, begins, ends), (Kind.ANSWER, ends + len(THOUGHT_ENDS), len(text)))
    return [_text(at, kind, "content", text, one, other) for kind, one, other in pieces if text[one:other].strip()]


def _text(at: int, kind: Kind, field: str, text: str, begin: int, end: int) -> Part:
    """Leaves out the spaces around, which templates strip."""
    inner = text[begin:end]
    begin += len(inner) - len(inner.lstrip())
    return Part(at, kind, field, begin, begin + len(inner.strip()))


def _kind(role: str) -> Kind:
    return Kind.SYSTEM if role in _SYSTEM else Kind.RESULT if role in _RESULTS else Kind.QUESTION


def _closes(mark: Mark) -> int:
    begin, end = mark.part.begin, mark.part.end
    return {Style.MIDDLE: (begin + end) // 2, Style.SECOND: begin + 1, Style.LAST: end - 1}.get(mark.style, end)


def _marked_text(text: str, mark: Mark) -> str:
    begin, at = mark.part.begin, _closes(mark)
    text = text[:at] + mark.closing + text[at:]
    return text[:begin] + mark.opening + text[begin:] if mark.style is Style.BOTH else text


def _marked_call(call: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    whole = dict(call)
    inner = call.get("function")
    function = dict(inner) if isinstance(inner, Mapping) else whole
    arguments, name = function.get("arguments"), str(function.get("name", ""))
    last = _marked_last(arguments, mark) if mark.style is not Style.NAME else None
    if last is None:
        name += mark.closing
    else:
        function["arguments"] = last
    function["name"] = mark.opening + name if mark.style is Style.BOTH else name
    return whole | {"function": function} if isinstance(inner, Mapping) else function


def _marked_last(value: Any, mark: Mark) -> Any:
    """Returns the value with a mark in its last text, or else in its last key; None where there is neither."""
    if isinstance(value, str):
        inner = value.rstrip()
        at = (len(inner) + 1) // 2 if mark.style not in (Style.BOTH, Style.END) else len(inner)
        return value[:at] + mark.closing + value[at:] if inner else None
    if isinstance(value, list | tuple):
        pairs = list(enumerate(value))
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        return None
    for key, inner_value in reversed(pairs):
        if (found := _marked_last(inner_value, mark)) is not None:
            changed = [found if one == key else other for one, other in pairs]
            return dict(zip(value, changed, strict=True)) if isinstance(value, Mapping) else changed
    if isinstance(value, Mapping) and pairs:
        *before, (key, inner_value) = pairs
        return dict([*before, (f"{key}{mark.closing}", inner_value)])
    return None
