"""Finds the tokens of a part of a text: by the places that a tokenizer tells for each token, or, where it tells none,
by tokenising the text up to the part's ends.

A token belongs to a part if it holds any character of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Protocol


class TextTokenizer(Protocol):
    """The part of transformers' tokenizer interface that is used. Those with `is_fast` tell the places of tokens."""

    @property
    def is_fast(self) -> bool: ...
    def __call__(self, text: str, **options: Any) -> Any: ...


class TokenisedText:
    """A text's tokens, and which of them are those of a part."""

    def __init__(self, tokenizer: TextTokenizer, text: str) -> None:
        self._text = text
        self.ids: list[int]
        if tokenizer.is_fast:
            told = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            self.ids, places = list(told["input_ids"]), told["offset_mapping"]
            self._part: Callable[[int, int], slice] = _ByPlaces(places).part
        else:
            self.ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
            self._part = self._by_prefix
        self._tokenizer = tokenizer

    def part(self, begin: int, end: int) -> slice:
        """Returns where the tokens of characters `begin` to `end` are among `ids`."""
        return self._part(begin, end)

    def _by_prefix(self, begin: int, end: int) -> slice:
        first, _ = self._same(begin)
        last, divided = self._same(end)
        return slice(first, last + divided)

    def _same(self, end: int) -> tuple[int, bool]:
        """Returns how many tokens are those of the text up to `end`, and whether another one has a part in it."""
        if end == len(self._text):
            return len(self.ids), False
        before = list(self._tokenizer(self._text[:end], add_special_tokens=False)["input_ids"])
        pairs = enumerate(zip(before, self.ids, strict=False))
        same = next((at for at, (one, other) in pairs if one != other), min(len(before), len(self.ids)))
        return same, same < len(before)


class _ByPlaces:
    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        self._begins = [begin for begin, _ in places]
        self._ends = [end for _, end in places]

    def part(self, begin: int, end: int) -> slice:
        return slice(bisect_right(self._ends, begin), bisect_left(self._begins, end))
