"""Serves an ASGI application for the duration of a `with` block. TLS and limits come from `config`; signal handling
stays with the caller.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

START_DEADLINE_S: Final = 15.0


@asynccontextmanager
async def listening(address: str, config: uvicorn.Config, linger_s: float = 0.0) -> AsyncIterator[None]:
    """Serves while the block runs and for `linger_s` after, then lets requests under way finish. Raises OSError naming
    the address if it cannot be bound, TimeoutError if the server does not start within START_DEADLINE_S.

    Behind a Service clients learn late that a pod goes: they come for some seconds more, and one that sends a request
    on a connection that is being closed has lost it. So each answer then ends its connection.
    """
    host, _, port = address.rpartition(":")
    sock = socket.create_server((host, int(port)))
    # Connections inherit it. asyncio does not set it for sockets that are passed in, and then every response waits
    # 40 ms for the acknowledgement of its headers before its body is sent.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config.app = app = _Leaving(config.app)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while not server.started:
                await asyncio.sleep(0.01)
        yield
        app.leaves = True
        await asyncio.sleep(linger_s)
    finally:
        server.should_exit = True
        await task


class _Leaving:
    """The application, whose answers end their connections once it `leaves`."""

    def __init__(self, app: Any) -> None:
        self._app: ASGIApp = app
        self.leaves = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if self.leaves and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, send_last)


class _Server(uvicorn.Server):
    """Leaves SIGTERM to the caller, which drains first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Does not capture any signal."""
        yield
