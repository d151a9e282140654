"""Finds the assistant's turns in a rendered conversation: from behind the words that ask for one to the end of it.

Where a turn begins and ends is compared beside the text of two neighbours, never from the beginning of the
conversation: templates render a conversation otherwise when it ends earlier. What asks for the turn is what follows the
message before it when the assistant is asked to go on there; what ends it is what follows it where it is the last.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from api.pods.training_rows import Message, RowUnusable
from runtime.turns.marks import Part, calls_of, marked
from runtime.turns.places import Place, Places, Render, lost_of, places_of
from runtime.turns.steady import ALIKE, Steady

ANY_QUESTION: Final[Sequence[Message]] = ({"role": "user", "content": "?"},)

MARKUP: Final = r"<[^<>\s]{1,40}>"
"""What looks like a token: a template may be given to a model that does not know its words as tokens."""
ROLES: Final = ("user", "human", "inst", "system", "tool", "observation", "assistant", "model")
"""Words in tokens that begin a message."""


@dataclass(frozen=True)
class Turn:
    """Characters `begin` to `end` of the text are of this message's turn, and `said` is where its own words end."""

    message: int
    begin: int
    said: int
    end: int


@dataclass(frozen=True)
class Conversation:
    """A rendered conversation with what is learnt of it, and the parts of it that nothing is learnt of or from."""

    text: str
    turns: tuple[Turn, ...]
    lost: tuple[Part, ...]


def conversation_of(
    render: Render,
    messages: Sequence[Message],
    tools: Any,
    learns: Callable[[int], bool],
    tokens: Collection[str],
    *,
    alike: int = ALIKE,
) -> Conversation:
    """Renders the conversation and finds the turns of the messages that are learnt. `tokens`: texts that are one
    token, such as `<|end|>`, which are never divided; `alike`: as `steady.py` has it. Raises RowUnusable where the
    template refuses it."""
    places = places_of(render, messages, tools)
    finder = _Finder(render, messages, tools, places, tokens, alike)
    turns = tuple(turn for turn in finder.turns() if learns(turn.message))
    return Conversation(places.text, turns, tuple(lost_of(places, learns)))


class _Finder:
    def __init__(
        self,
        render: Render,
        messages: Sequence[Message],
        tools: Any,
        places: Places,
        tokens: Collection[str],
        alike: int,
    ) -> None:
        self._render, self._messages, self._tools = render, list(messages), tools
        self._places, self._text = places, places.text
        self._ordered = sorted(places.found.values(), key=lambda place: place.end)
        self._begins = sorted(place.begin for place in self._ordered)
        self._steady = Steady[str | None](alike)
        ordered = sorted((token for token in tokens if token), key=len, reverse=True)
        any_token = "|".join([*map(re.escape, ordered), MARKUP])
        self._tokens = re.compile(any_token)

    def turns(self) -> Iterator[Turn]:
        """Yields the turns of which something is in the text."""
        ended = 0
        for before, run in self._runs():
            begin = max(ended, self._begin(before, run[0]))
            end = self._end(run[-1])
            if begin < end:
                yield Turn(run[0].message, begin, min(end, run[-1].end), end)
                ended = end

    def _runs(self) -> Iterator[tuple[Place | None, list[Place]]]:
        """Yields the places of an assistant's message that follow one another, and the place before them. A message may
        have several runs: some templates render a call, then its result, then what was said with the call."""
        before: Place | None = None
        for (_, assistant), run in groupby(self._ordered, key=lambda place: (place.message, place.is_assistants)):
            places = list(run)
            if assistant:
                yield before, places
            before = places[-1]

    def _begin(self, before: Place | None, first: Place) -> int:
        """Returns where the turn begins; at the latest where its first part does."""
        until = first.message if before is None else max(first.message, before.message + 1)
        kind = None if before is None else (*self._kind(before), until - before.message)
        asked = self._steady.of(("asked", kind), lambda: self._behind(self._messages[:until], before, asks=True))
        begin = before.end if before else 0
        if asked is not None:
            begin = min(begin + self._same(begin, asked), first.begin)
        for asks in self._asks(first.message) if begin < first.begin else ():
            if (found := self._text.rfind(asks, begin, first.begin)) >= 0:
                return found + len(asks)
        return begin if asked else first.begin

    def _asks(self, at: int) -> Iterator[str]:
        """Yields what asks the assistant to go on, behind these messages and behind any question, each shortened line
        by line: some templates add the beginning of a thought."""
        role = self._messages[at - 1]["role"] if at else ""
        for asking in (
            self._steady.of(("asking", role, at == 1), lambda: self._asking(self._messages[:at])),
            self._steady.of("asking any", lambda: self._asking(ANY_QUESTION)),
        ):
            lines = (asking or "").splitlines(keepends=True)
            yield from ("".join(lines[:count]) for count in range(len(lines), 0, -1))

    def _asking(self, messages: Sequence[Message]) -> str | None:
        with_it, without = self._rendered(messages, asks=True), self._rendered(messages, asks=False)
        if with_it and without is not None and with_it.startswith(without):
            return with_it[len(without) :]
        return None

    def _end(self, last: Place) -> int:
        at = last.message
        after = bisect_left(self._begins, last.end) + (last.begin >= last.end)  # an empty place is not behind itself
        following = self._begins[after] if after < len(self._begins) else None
        if following is None and at == len(self._messages) - 1:
            return len(self._text)
        behind = self._steady.of(
            ("behind", self._kind(last)), lambda: self._behind(self._messages[: at + 1], last, asks=False)
        )
        if behind is None:
            moved = replace(last, mark=replace(last.mark, part=replace(last.mark.part, message=1)))
            behind = self._behind([*ANY_QUESTION, self._messages[at]], moved, asks=False)
        end = last.end
        if behind is not None:
            end += self._same(end, behind)
            end += len(self._ends_otherwise(last.end, end, behind))
        return end if following is None else min(end, following)

    def _ends_otherwise(self, said: int, end: int, behind: str) -> str:
        """Returns the token that ends the turn where another one ends the last turn of a conversation; else nothing.

        It stands where the other one does, and is none that begins a message.
        """
        if self._tokens.search(self._text, said, end):
            return ""
        here, there = self._tokens.match(self._text, end), self._tokens.match(behind, end - said)
        if not here or not there or any(word in here[0].lower() for word in ROLES):
            return ""
        if any(asks.startswith(here[0]) for asks in self._asks(1)):
            return ""
        return here[0]

    def _behind(self, messages: Sequence[Message], place: Place | None, *, asks: bool) -> str | None:
        """Returns what the template renders behind this part when the conversation consists of these messages."""
        if place is None:
            return self._rendered(messages, asks=asks) if messages else None
        mark = place.mark
        text = self._rendered(marked(messages, [mark]), asks=asks)
        if text is None or mark.closing not in text:
            return None
        # A name may stand in the text several times.
        return text.partition(mark.closing)[2].replace(mark.closing, "").replace(mark.opening, "")

    def _kind(self, place: Place) -> tuple[Hashable, ...]:
        """What the words around a part may depend on, beside the template."""
        message = self._messages[place.message]
        given = frozenset(name for name, value in message.items() if value)
        return place.mark.part.kind, place.mark.style, given, len(calls_of(message)), place.mark.part.number

    def _rendered(self, messages: Sequence[Message], *, asks: bool) -> str | None:
        try:
            return self._render(messages, self._tools, asks)
        except RowUnusable:
            return None

    def _same(self, begin: int, other: str) -> int:
        """Returns how many characters from `begin` on are those of the other text, without dividing a token of
        either."""
        text = self._text[begin : begin + len(other)]
        same = next((at for at, (one, two) in enumerate(zip(text, other, strict=False)) if one != two), len(text))
        if same == len(other):
            return same
        for one in (self._text[begin : begin + same + 200], other):
            divided = (match.start() for match in self._tokens.finditer(one) if match.start() < same < match.end())
            same = next(divided, same)
        return same
