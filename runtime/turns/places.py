"""Finds the parts of messages in the text that a chat template renders, by rendering once more with marks in them.

A place counts only if the text without the marks is the text as it was: then the marks have changed nothing but what
they mark. `marks.py` puts them in, `spans.py` makes turns of the places.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.pods.training_rows import Message, RowUnusable
from runtime.turns.marks import ASSISTANTS, Kind, Mark, Part, Style, marked, parts_of, text_before

Render = Callable[[Sequence[Message], Any, bool], str]
"""Renders messages and tools; the third says whether the assistant is asked to go on. Raises RowUnusable."""


@dataclass(frozen=True)
class Place:
    """Where a part is in the text: at least from `begin` to `end`. Marked so, other texts show the part as well."""

    begin: int
    end: int
    mark: Mark

    @property
    def message(self) -> int:
        return self.mark.part.message

    @property
    def is_assistants(self) -> bool:
        return self.mark.part.kind in ASSISTANTS


@dataclass(frozen=True)
class Places:
    """What was found of a conversation. `absent`: parts that the text does not contain; `unknown`: those that are
    somewhere in it, and nobody knows where."""

    text: str
    found: Mapping[Part, Place]
    absent: frozenset[Part]
    unknown: frozenset[Part]


def places_of(render: Render, messages: Sequence[Message], tools: Any) -> Places:
    """Renders the conversation and finds its parts. Raises RowUnusable where the template refuses it."""
    text = render(messages, tools, False)
    looking = _Looking(render, messages, tools, text)
    parts = parts_of(messages)
    found, absent = looking.all_at_once(parts) or looking.one_by_one(parts)
    unknown = frozenset(parts) - found.keys() - absent
    return Places(text, found, frozenset(absent | _absent_tools(render, messages, tools, text)), unknown)


def _absent_tools(render: Render, messages: Sequence[Message], tools: Any, text: str) -> set[Part]:
    if not tools:
        return set()
    try:
        shown = render(messages, None, False) != text
    except RowUnusable:
        shown = True
    return set() if shown else {Part(0, Kind.TOOLS, "tools")}


class _Looking:
    def __init__(self, render: Render, messages: Sequence[Message], tools: Any, text: str) -> None:
        self._render, self._messages, self._tools, self._text = render, messages, tools, text
        self._stem = _stem(text, messages)
        mark = rf"{self._stem}(\d+)([be])"
        self._pattern = re.compile(mark)

    def all_at_once(self, parts: Sequence[Part]) -> tuple[dict[Part, Place], set[Part]] | None:
        """One more rendering, for nearly all texts."""
        return self._look([self._mark(part, number, Style.BOTH) for number, part in enumerate(parts)])

    def one_by_one(self, parts: Sequence[Part]) -> tuple[dict[Part, Place], set[Part]]:
        """For texts that a template looks into: one part changes how it is rendered, the others need not."""
        found, absent = dict[Part, Place](), set[Part]()
        for number, part in enumerate(parts):
            looks = map(self._look, ([self._mark(part, number, style)] for style in Style))
            places, missing = next((look for look in looks if look is not None), (self._alone(part, number), set()))
            found |= places
            absent |= missing
        return found, absent

    def _alone(self, part: Part, number: int) -> dict[Part, Place]:
        """The place of a text that stands in the rendered one only once."""
        mark = self._mark(part, number, Style.END)
        text = text_before(self._messages, mark)
        if not text or self._text.count(text) != 1:
            return {}
        begin = self._text.index(text)
        return {part: Place(begin, begin + len(text), mark)}

    def _mark(self, part: Part, number: int, style: Style) -> Mark:
        return Mark(part, style, f"{self._stem}{number}b", f"{self._stem}{number}e")

    def _look(self, marks: Sequence[Mark]) -> tuple[dict[Part, Place], set[Part]] | None:
        try:
            text = self._render(marked(self._messages, marks), self._tools, False)
        except RowUnusable:
            return None
        if self._pattern.sub("", text) != self._text:
            return None
        seen = dict[str, int]()
        for word, at in self._positions(text):
            seen.setdefault(word, at)
        places = {mark.part: self._place(mark, seen) for mark in marks if mark.closing in seen}
        return places, {mark.part for mark in marks} - places.keys()

    def _place(self, mark: Mark, seen: Mapping[str, int]) -> Place:
        # The first of each: what comes later is an echo, such as a tool's name above its result.
        end = seen[mark.closing]
        begin = seen.get(mark.opening, end)
        before = text_before(self._messages, mark)
        if mark.style is not Style.BOTH and self._text.endswith(before, 0, end):
            begin = end - len(before)
        return Place(min(begin, end), end, mark)

    def _positions(self, text: str) -> Iterator[tuple[str, int]]:
        """Yields each mark with its place in the text without marks."""
        removed = 0
        for match in self._pattern.finditer(text):
            yield match[0], match.start() - removed
            removed += len(match[0])


def _stem(text: str, messages: Sequence[Message]) -> str:
    """Returns a word of ASCII letters, which no encoding changes, that the texts do not contain."""
    everything, stem = f"{text}{messages!r}", "Zq"
    while stem in everything:
        stem += "q"
    return stem


def lost_of(places: Places, learns: Callable[[int], bool]) -> list[Part]:
    """Returns the parts that will not be trained on. Those of messages of the assistant that are not learnt anyway do
    not count. Raises RowUnusable where nobody knows the place of something that is to be learnt."""
    if unknown := [part for part in places.unknown if part.kind in ASSISTANTS and learns(part.message)]:
        where = f"{unknown[0].kind.value} of message {unknown[0].message + 1}"
        raise RowUnusable(f"the chat template renders the {where} so that they cannot be found in the text")
    return sorted(
        (part for part in places.absent if part.kind not in ASSISTANTS or learns(part.message)),
        key=lambda part: part.message,
    )
