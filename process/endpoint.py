"""Serves what `health.py` answers, for the duration of a `with` block.

The HTTP server of aiohttp, whose client watcher and workers have anyway, without its router: a server of its own for
three paths would cost each of them 2 MiB. What serves more than these paths uses `asgi.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response
from aiohttp.web_server import Server

from process.health import Health

UNDER_WAY_S: Final = 5.0
"""Given to requests that are under way at the end."""


@asynccontextmanager
async def endpoint(address: str, ready: Callable[[], bool], sdk_metrics_port: int | None = None) -> AsyncIterator[None]:
    """Serves while the block runs. Raises OSError naming the address if it cannot be bound."""
    health = Health(ready, sdk_metrics_port)

    async def answer(request: BaseRequest) -> Response:
        status, content_type, body = await health.answer(request.method, request.path)
        return Response(status=status, body=body, headers={"content-type": content_type})

    host, _, port = address.rpartition(":")
    server = Server(answer, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, host, int(port))
    try:
        yield
    finally:
        listening.close()
        server.pre_shutdown()  # connections that ask nothing, such as Prometheus', else wait for the limit
        await server.shutdown(UNDER_WAY_S)
