"""Sends one file, or a range of it, at a given pace, with the failure that a fault requires.

The caller chooses the file, the range and the fault. The pace applies to each connection: parallel downloads each get
it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploy.local.mirror.faults import Fault

CHUNK_BYTES = 1024 * 1024
# Pieces per second on a throttled connection, so that a client's progress moves.
PIECES_PER_SECOND = 10
# The longest stall of a download: a forgotten fault must not keep a connection open for ever.
STALL_LIMIT_S = 3600.0
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Pace(BaseModel):
    """Seconds before the first byte of a file, and bytes per second and connection (None: as fast as it goes)."""

    latency_s: float = Field(default=0.0, ge=0.0, le=600.0)
    bytes_per_second: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Span:
    """Bytes `first` to `last`, both included, of a file of `size`; an empty file has last = -1."""

    first: int
    last: int
    size: int
    partial: bool

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class RangeNotSatisfiable(ValueError):
    """The range starts after the file's end."""


def span_of(header: str | None, size: int) -> Span:
    """Parses a Range header; returns the whole file without one or for a form that may be ignored (RFC 9110, 14.2).

    Raises RangeNotSatisfiable.
    """
    whole = Span(0, size - 1, size, partial=False)
    found = _RANGE.fullmatch(header.strip()) if header else None
    if not found or found.groups() == ("", ""):
        return whole
    start, end = found.groups()
    if start and end and int(end) < int(start):
        return whole
    first = int(start) if start else max(0, size - int(end))
    last = min(int(end), size - 1) if start and end else size - 1
    if first >= size:
        raise RangeNotSatisfiable(f"the file has {size} bytes, the range asked for starts at {first}")
    return Span(first, last, size, partial=True)


class Delivery(Response):
    """A response that streams `span` of `file`. `sent` counts the body bytes handed to the connection."""

    def __init__(self, file: Path, span: Span, headers: Mapping[str, str], *, pace: Pace, fault: Fault | None) -> None:
        super().__init__(status_code=206 if span.partial else 200, headers=dict(headers))
        self.headers["content-length"] = str(span.length)
        self.headers["accept-ranges"] = "bytes"
        if span.partial:
            self.headers["content-range"] = f"bytes {span.first}-{span.last}/{span.size}"
        self.file, self.span, self.pace, self.fault, self.sent = file, span, pace, fault, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = asyncio.create_task(self._stream(send, body=scope["method"] != "HEAD"))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stream.cancel()
            gone.cancel()
            results = await asyncio.gather(stream, gone, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _stream(self, send: Send, *, body: bool) -> None:
        await asyncio.sleep(self.pace.latency_s)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if body:
            async for piece in self._paced():
                self.sent += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if self._interrupted():
                    # Returning without a last piece makes the server close the connection in the middle of the body.
                    await asyncio.sleep(STALL_LIMIT_S if self.fault and self.fault.kind == "stall" else 0)
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _interrupted(self) -> bool:
        return self.fault is not None and self.fault.kind in ("stall", "cut") and self.sent >= self.fault.after_bytes

    async def _paced(self) -> AsyncIterator[bytes]:
        rate = self.fault.bytes_per_second if self.fault and self.fault.kind == "slow" else self.pace.bytes_per_second
        clock = asyncio.get_running_loop().time
        began = clock()
        for piece_number, piece in enumerate(self._pieces(rate)):
            yield piece if piece_number or not self._corrupt() else bytes([piece[0] ^ 0xFF]) + piece[1:]
            if rate:
                await asyncio.sleep(max(0.0, began + self.sent / rate - clock()))

    def _corrupt(self) -> bool:
        return self.fault is not None and self.fault.kind == "corrupt"

    def _pieces(self, rate: int | None) -> Iterator[bytes]:
        # A read blocks the loop for less than a millisecond: weights being served are in the page cache.
        left = self.span.length
        if self.fault and self.fault.kind in ("stall", "cut"):
            left = min(left, self.fault.after_bytes)
            yield from [b""] if left == 0 else []
        size = max(1, rate // PIECES_PER_SECOND) if rate else CHUNK_BYTES
        with self.file.open("rb") as stream:
            stream.seek(self.span.first)
            while left and (piece := stream.read(min(size, left))):
                left -= len(piece)
                yield piece


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
