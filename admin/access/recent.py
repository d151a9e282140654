"""Answers that are given again for some seconds: a page that asks often does not ask the API server as often."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

SECONDS: Final = 10.0
"""So long a right that was taken away may still be used, and one that was given may still be missed."""
MOST: Final = 1_000

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Recent(Generic[Key, Answer]):
    """At most MOST answers, the newest; each for SECONDS."""

    def __init__(self, seconds: float = SECONDS, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._known: OrderedDict[Key, tuple[float, Answer]] = OrderedDict()

    async def get(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Returns the answer that is known, or asks. What `ask` raises is not kept."""
        found = self._known.get(key)
        if found is not None and self._clock() - found[0] < self._seconds:
            return found[1]
        answer = await ask()
        self._known[key] = (self._clock(), answer)
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return answer
