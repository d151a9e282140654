"""One question that many ask at the same time: it is sent once, and its answer serves everybody for a short while.

What is asked, and how old an answer may be, is decided by whoever makes one (`azure_listings.py`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

Answer = TypeVar("Answer")


class Kept(NamedTuple, Generic[Answer]):
    """An answer, and when its question was sent: it may have been old by then, never older."""

    asked_at: float
    answer: Answer


class SharedAnswer(Generic[Answer]):
    """The newest answer to a question that `ask` sends. A question that failed fails all who wait, and is not kept."""

    def __init__(
        self, ask: Callable[[], Awaitable[Answer]], *, kept_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._kept_s, self._now = ask, kept_s, now
        self._kept: Kept[Answer] | None = None
        self._asking: tuple[float, asyncio.Task[Answer]] | None = None
        self._running: set[asyncio.Task[Answer]] = set()  # asyncio itself does not hold them

    def now(self) -> float:
        """The clock of `not_before`."""
        return self._now()

    def known(self, *, within_s: float) -> Answer | None:
        """An answer of the last seconds, without asking: a hint, not a fact."""
        kept = self._kept
        return kept.answer if kept and kept.asked_at >= self._now() - within_s else None

    async def get(self, not_before: float | None = None) -> Answer:
        """Returns an answer that is at most `kept_s` old, or to a question that was sent at `not_before` or later."""
        oldest = self._now() - self._kept_s if not_before is None else not_before
        if self._kept and self._kept.asked_at >= oldest:
            return self._kept.answer
        if self._asking is None or self._asking[0] < oldest:
            self._send()
        assert self._asking is not None
        # Whoever gives up waiting must not end it for the others.
        return await asyncio.shield(self._asking[1])

    def _send(self) -> None:
        asked_at = self._now()
        asking = asyncio.ensure_future(self._answer(asked_at))
        self._asking = (asked_at, asking)
        self._running.add(asking)
        asking.add_done_callback(self._ended)

    async def _answer(self, asked_at: float) -> Answer:
        answer = await self._ask()
        if self._kept is None or self._kept.asked_at <= asked_at:
            self._kept = Kept(asked_at, answer)
        return answer

    def _ended(self, asking: asyncio.Task[Answer]) -> None:
        self._running.discard(asking)
        if self._asking and self._asking[1] is asking:
            self._asking = None
        if not asking.cancelled():
            asking.exception()  # all who waited were given it; nobody may be left
