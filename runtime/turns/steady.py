"""Remembers what a template has rendered alike many times, so that a conversation takes time by its length.

What stands around a turn is rendered from the conversation up to it: for each turn anew, that is time by the square of
the turns. Templates write the same around turns of one kind; a conversation of some hundred messages shows it.
"""

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

ALIKE: Final = 32
"""Times in a row: conversations of fewer turns are rendered turn by turn."""
Found = TypeVar("Found")


class Steady(Generic[Found]):
    """Of one conversation."""

    def __init__(self, alike: int) -> None:
        self._alike = alike
        self._known = dict[Hashable, tuple[Found, int]]()

    def of(self, kind: Hashable, find: Callable[[], Found]) -> Found:
        """Returns what `find` does, or what it has returned for this kind `alike` times, one after the other."""
        known = self._known.get(kind)
        if known is not None and known[1] == self._alike:
            return known[0]
        found = find()
        times = known[1] + 1 if known is not None and known[0] == found else 1
        self._known[kind] = (found, times)
        return found
