"""Serves an ASGI application at an address for as long as a block runs; who it is for and over what, its configuration
says. When the process is to end is the process's to decide.
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
    """Serves while the block runs, then lets requests under way end. Raises OSError naming the address where it cannot
    be taken, TimeoutError."""
    host, _, port = address.rpartition(":")
    sock = socket.create_server((host, int(port)))
    # Connections inherit it. asyncio leaves it out for sockets that are handed to it, and then every answer waits 40 ms
    # for the acknowledgement of its head before its body is sent.
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
    """Leaves SIGTERM to the process, which drains first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield
