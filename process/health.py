"""Answers /healthz (alive), /readyz (doing its work) and /metrics of a process.

The Temporal SDK exports its metrics on a port of its own; /metrics includes them, so that Prometheus scrapes one
address per process. `endpoint.py` serves the answers alone; a process with more paths mounts them, as ASGI.
"""

import asyncio
import http.client
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

PATHS: Final = ("/healthz", "/readyz", "/metrics")
SDK_METRICS_TIMEOUT_S: Final = 2.0
JSON: Final = "application/json"

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def free_loopback_port() -> int:
    """Returns a TCP port that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Health:
    """Answers GET for PATHS, also as an ASGI application, and 404 or 405 otherwise."""

    def __init__(self, ready: Callable[[], bool], sdk_metrics_port: int | None) -> None:
        self._ready = ready
        self._sdk_metrics_port = sdk_metrics_port

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers one request."""
        status, content_type, body = await self.answer(scope["method"], scope["path"])
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        """Returns status, content type and body."""
        if path not in PATHS:
            return 404, JSON, _json(detail="Not Found")
        if method != "GET":
            return 405, JSON, _json(detail="Method Not Allowed")
        if path == "/metrics":
            port = self._sdk_metrics_port
            return 200, CONTENT_TYPE_LATEST, generate_latest() + (await _sdk_metrics(port) if port else b"")
        if path == "/healthz":
            return 200, JSON, _json(status="alive")
        return (200, JSON, _json(status="ready")) if self._ready() else (503, JSON, _json(status="not ready"))


async def _sdk_metrics(port: int) -> bytes:
    return await asyncio.to_thread(_read, port)


def _read(port: int) -> bytes:
    """Blocking: no client of the processes is needed by all of them, and this one comes with Python."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SDK_METRICS_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()
    finally:
        connection.close()


def _json(**fields: str) -> bytes:
    return json.dumps(fields).encode()
