"""Limits a response: in time, counted from the sent request, however small its parts are, and in bytes of its body."""

import math
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpcore
import httpx


class AnswerRefused(httpx.ProtocolError):
    """A response exceeds the size limit, or is compressed although the request did not accept that."""


class LimitedStream(httpcore.NetworkStream):
    """A connection with a deadline for the whole response, in however many small parts it arrives."""

    def __init__(self, inner: httpcore.NetworkStream, answer_s: float) -> None:
        self._inner, self._answer_s = inner, answer_s
        self._ends: float | None = None
        """Deadline of the current response; None until its first byte is awaited."""

    def answer_without_end(self) -> None:
        """Lifts the deadline of the current response; only the read timeout remains."""
        self._ends = math.inf

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._ends is None:
            self._ends = time.monotonic() + self._answer_s
        left = self._ends - time.monotonic()
        wait = left if timeout is None else min(left, timeout)
        try:
            if left > 0:
                return self._inner.read(max_bytes, None if wait == math.inf else wait)
        except httpcore.ReadTimeout:
            if wait < left:
                raise
        raise httpcore.ReadTimeout(f"no complete response within {self._answer_s:g} s")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._ends = None
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return LimitedStream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._answer_s)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class BoundedBody(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, answer_max: int) -> None:
        self._inner, self._left = inner, answer_max

    def __iter__(self) -> Iterator[bytes]:
        for part in self._inner:
            self._left -= len(part)
            if self._left < 0:
                raise AnswerRefused("the response is larger than any that was requested")
            yield part

    def close(self) -> None:
        self._inner.close()
