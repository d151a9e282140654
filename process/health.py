"""Serves /healthz (alive), /readyz (doing its work) and /metrics of a process on one address.

The Temporal SDK exports its metrics on a port of its own; /metrics includes them, so that Prometheus scrapes one
address per process.
"""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from process.asgi import listening

SDK_METRICS_TIMEOUT_S: Final = 2.0


def free_loopback_port() -> int:
    """Returns a TCP port that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def application(ready: Callable[[], bool], sdk_metrics_port: int | None) -> FastAPI:
    """Returns an application with the three routes."""
    app = FastAPI(openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, str]:
        response.status_code = 200 if ready() else 503
        return {"status": "ready" if ready() else "not ready"}

    @app.get("/metrics")
    async def metrics() -> Response:
        text = generate_latest() + (await _sdk_metrics(sdk_metrics_port) if sdk_metrics_port else b"")
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return app


@asynccontextmanager
async def endpoint(address: str, ready: Callable[[], bool], sdk_metrics_port: int | None = None) -> AsyncIterator[None]:
    """Serves while the block runs. Raises what `listening` does."""
    config = uvicorn.Config(application(ready, sdk_metrics_port), log_level="warning", lifespan="off")
    async with listening(address, config):
        yield


async def _sdk_metrics(port: int) -> bytes:
    async with httpx.AsyncClient(trust_env=False, timeout=SDK_METRICS_TIMEOUT_S) as client:
        response = await client.get(f"http://127.0.0.1:{port}/metrics")
        return response.content
