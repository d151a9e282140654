"""uvicorn's HTTP protocol with an end for what never ends: heads that do not come, bodies that drip, answers that
nobody reads. uvicorn has a limit of time for idle connections only, and none before the first request.

How many connections there may be is `connections.py`'s, how large bodies may be `bodies.py`'s.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0
"""From the connection, or the first byte after an answer, to the end of a request's head."""
REQUEST_S: Final = 60.0
"""From the end of the head until the answer is sent; the longest admission review may take 30 s (Kubernetes, "Dynamic
Admission Control", timeoutSeconds)."""


class BoundedRequests(H11Protocol):
    """One connection, which is cut where its client does not go on in time."""

    _ends: asyncio.TimerHandle | None = None
    _reads: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begins to wait for a head."""
        super().connection_made(transport)
        self._must_go_on_within(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._is_in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Looks at what has arrived: a request that begins has its own time; anything else counts for the next head."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._must_go_on_within(REQUEST_S)
        elif self._ends is None and not self.transport.is_closing():
            self._must_go_on_within(HEAD_S)

    def on_response_complete(self) -> None:
        """Leaves an idle connection to uvicorn's own limit, which waits for ever where an answer is not read. With TLS
        asyncio ends that."""
        self._is_in_time()
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before:
            self._must_go_on_within(REQUEST_S)
        elif self.conn.trailing_data[0]:
            self._must_go_on_within(HEAD_S)
        elif self.transport.get_write_buffer_size():
            self._reads = self.loop.call_later(REQUEST_S, self._cut_unless_read)

    def _must_go_on_within(self, seconds: float) -> None:
        self._is_in_time()
        self._ends = self.loop.call_later(seconds, self._cut)

    def _is_in_time(self) -> None:
        for timer in (self._ends, self._reads):
            if timer is not None:
                timer.cancel()
        self._ends = self._reads = None

    def _cut_unless_read(self) -> None:
        if self.transport.get_write_buffer_size():
            self._cut()

    def _cut(self) -> None:
        # Not closed: that waits until the client has read what is still to be sent.
        self._ends = None
        self.transport.abort()
