"""Serves an ASGI application for the duration of a `with` block, within bounds: of connections (`connections.py`), of
time (`requests.py`) and of heads. Bounds of bodies, and signal handling, stay with the caller.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from process.serving.connections import BoundedListener
from process.serving.requests import HEAD_S, BoundedRequests

START_DEADLINE_S: Final = 15.0
DRAIN_S: Final = 10
HEAD_LIMIT: Final = 16 * 1024
"""Bytes of a request's head. A token of Kubernetes has some 1,200."""
KEEP_ALIVE_S: Final = 5
"""How long a connection may be idle, unless the caller knows its clients."""
CLOSE_S: Final = 5.0
"""For the end of a TLS connection."""


@asynccontextmanager
async def listening(
    address: str,
    app: ASGIApp,
    *,
    tls: ssl.SSLContext | None = None,
    keep_alive_s: int = KEEP_ALIVE_S,
    linger_s: float = 0.0,
) -> AsyncIterator[None]:
    """Serves while the block runs and for `linger_s` after, then lets requests under way finish. Raises OSError naming
    the address if it cannot be bound, TimeoutError if the server does not start within START_DEADLINE_S.

    Behind a Service clients learn late that a pod goes: they come for some seconds more, and one that sends a request
    on a connection that is being closed has lost it. So each answer then ends its connection.
    """
    host, _, port = address.rpartition(":")
    sock = BoundedListener(host, int(port))
    # Connections inherit it. asyncio does not set it for sockets that are passed in, and then every response waits
    # 40 ms for the acknowledgement of its headers before its body is sent.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    leaving = _Leaving(app)
    server = _Server(_config(leaving, tls, keep_alive_s))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            while not server.started:
                await asyncio.sleep(0.01)
        yield
        leaving.leaves = True
        await asyncio.sleep(linger_s)
    finally:
        server.should_exit = True
        await task


def _config(app: ASGIApp, tls: ssl.SSLContext | None, keep_alive_s: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedRequests,
        ws="none",
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=HEAD_LIMIT,
        ssl_context_factory=(lambda config, default: tls) if tls else None,
    )


class _Leaving:
    """The application, whose answers end their connections once it `leaves`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.leaves = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if self.leaves and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, send_last)


class _Server(uvicorn.Server):
    """Leaves SIGTERM to the caller, which drains first, and gives handshakes their limit, for which uvicorn has no
    setting: asyncio's is a minute."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens on the sockets."""
        await self.lifespan.startup()
        config, loop = self.config, asyncio.get_running_loop()
        protocol = partial(
            BoundedRequests, config=config, server_state=self.server_state, app_state=self.lifespan.state
        )
        limits: Any = {"ssl_handshake_timeout": HEAD_S, "ssl_shutdown_timeout": CLOSE_S} if config.ssl else {}
        self.servers = [
            await loop.create_server(protocol, sock=each, ssl=config.ssl, backlog=config.backlog, **limits)
            for each in sockets or ()
        ]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Does not capture any signal."""
        yield
