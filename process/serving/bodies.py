"""Bodies of requests, bounded in size and time each, and in memory all together.

Where there is no more room the largest that is still arriving is refused: whoever fills the memory loses what it has
sent, and small requests go on. What an answer to a refusal looks like is left to the callers; `BoundedBodies` answers
JSON.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB: Final = 2**20
ALL_BODIES: Final = 32 * MIB
"""Bytes."""


class BodyRefused(Exception):
    """A body is too large, too slow, or one too many. `status` is an HTTP status: 413, 408 or 503."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class _Arriving:
    """A body of which more may come; without data once it had to make room."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.refused = False


class Bodies:
    """The bodies that a server has in memory: at most `most` bytes."""

    def __init__(self, most: int = ALL_BODIES) -> None:
        self._most = most
        self._arriving: set[_Arriving] = set()
        self._arrived = 0

    @asynccontextmanager
    async def read(self, parts: AsyncIterator[bytes], *, limit: int, seconds: float) -> AsyncGenerator[bytes, None]:
        """Yields a whole body, which counts until the block ends. Raises BodyRefused, and what `parts` does."""
        body = await self._whole(parts, limit, seconds)
        self._arrived += len(body)
        try:
            yield body
        finally:
            self._arrived -= len(body)

    async def _whole(self, parts: AsyncIterator[bytes], limit: int, seconds: float) -> bytes:
        body = _Arriving()
        self._arriving.add(body)
        try:
            async with asyncio.timeout(seconds):
                async for part in parts:
                    self._take(body, part, limit)
            return bytes(body.data)
        except TimeoutError:
            late = BodyRefused(408, f"the request did not arrive within {seconds:g} s")
            raise (_one_too_many() if body.refused else late) from None
        finally:
            self._arriving.discard(body)

    def _take(self, body: _Arriving, part: bytes, limit: int) -> None:
        if not body.refused:
            body.data += part
        if len(body.data) > limit:
            raise BodyRefused(413, f"the request has more than {limit} bytes")
        while self._arrived + sum(len(each.data) for each in self._arriving) > self._most:
            largest = max(self._arriving, key=lambda each: len(each.data))
            if not largest.data:
                break  # all room is taken by what has arrived
            largest.refused = True
            largest.data.clear()
        if body.refused:
            raise _one_too_many()


def _one_too_many() -> BodyRefused:
    return BodyRefused(503, "too many large requests are under way: try again")


class BoundedBodies:
    """An application that gets each body whole. What is refused is answered here, as JSON with `detail`.

    `limit`: bytes of one body; `seconds`: in which it must arrive.
    """

    def __init__(self, app: ASGIApp, *, limit: int, seconds: float, bodies: Bodies | None = None) -> None:
        self._app, self._limit, self._seconds = app, limit, seconds
        self._bodies = bodies or Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts = Request(scope, receive).stream()
        try:
            async with self._bodies.read(parts, limit=self._limit, seconds=self._seconds) as body:
                await self._app(scope, _given(body, receive), send)
        except BodyRefused as error:
            await _refuse(error, send)


def _given(body: bytes, receive: Receive) -> Receive:
    """Gives the body first; after it whatever the connection says, such as that it is closed."""
    first = True

    async def given() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return given


async def _refuse(error: BodyRefused, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": str(error)}).encode()})
