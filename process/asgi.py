"""Serves an ASGI application for the duration of a `with` block. TLS and limits come from `config`; signal handling
stays with the caller.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

START_DEADLINE_S: Final = 15.0


@asynccontextmanager
async def listening(address: str, config: uvicorn.Config) -> AsyncIterator[None]:
    """Serves while the block runs, then lets requests under way finish. Raises OSError naming the address if it cannot
    be bound, TimeoutError if the server does not start within START_DEADLINE_S."""
    host, _, port = address.rpartition(":")
    sock = socket.create_server((host, int(port)))
    # Connections inherit it. asyncio does not set it for sockets that are passed in, and then every response waits
    # 40 ms for the acknowledgement of its headers before its body is sent.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while not server.started:
                await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """Leaves SIGTERM to the caller, which drains first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Does not capture any signal."""
        yield
