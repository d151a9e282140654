"""Serves the webhook over TLS, with certificates that can be replaced at run time and within the bounds of
`process/serving`, to the API server's connections.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from process.serving.asgi import listening
from process.serving.tls import Certificates

KEEP_ALIVE_S: Final = 120
"""Longer than the API server keeps an idle connection (90 s), so that this side never closes one in use."""


@asynccontextmanager
async def serving(app: FastAPI, address: str, certificates: Certificates, linger_s: float = 0.0) -> AsyncIterator[None]:
    """Serves while the block runs and for `linger_s` after, then lets requests under way finish. Raises what
    `listening` does."""
    async with listening(address, app, tls=certificates.context, keep_alive_s=KEEP_ALIVE_S, linger_s=linger_s):
        yield
