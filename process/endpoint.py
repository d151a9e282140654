"""Serves what `health.py` answers, for the duration of a `with` block.

The HTTP server of aiohttp, whose client watcher and workers have anyway, without its router: a server of its own for
three paths would cost each of them 2 MiB. What serves more than these paths uses `serving/asgi.py`.

A connection is one request: none stays open, and none that is silent, slow or one of hundreds keeps a probe waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response
from aiohttp.web_server import Server

from process.health import Health
from process.serving.connections import BoundedListener

UNDER_WAY_S: Final = 5.0
"""Given to requests that are under way at the end."""
CONNECTION_S: Final = 15.0
"""For a connection: Prometheus waits 10 s for an answer, kubelets less."""
CONNECTIONS: Final = 64


@asynccontextmanager
async def endpoint(address: str, ready: Callable[[], bool], sdk_metrics_port: int | None = None) -> AsyncIterator[None]:
    """Serves while the block runs. Raises OSError naming the address if it cannot be bound."""
    health = Health(ready, sdk_metrics_port)

    async def answer(request: BaseRequest) -> Response:
        status, content_type, body = await health.answer(request.method, request.path)
        response = Response(status=status, body=body, headers={"content-type": content_type})
        response.force_close()
        return response

    host, _, port = address.rpartition(":")
    server = Server(answer, access_log=None)
    loop = asyncio.get_running_loop()

    def connection() -> RequestHandler:
        handler = server()
        loop.call_later(CONNECTION_S, _cut, handler)
        return handler

    listening = await loop.create_server(connection, sock=BoundedListener(host, int(port), CONNECTIONS))
    try:
        yield
    finally:
        listening.close()
        server.pre_shutdown()  # connections that ask nothing, such as Prometheus', else wait for the limit
        await server.shutdown(UNDER_WAY_S)


def _cut(handler: RequestHandler) -> None:
    if handler.transport is not None:
        handler.transport.abort()
