"""Serves the application over TLS with certificates that change while it runs.

Connections that are open keep what they began with; every new one gets the newest.
"""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from admin.webhook.certificates.bundle import CertificateBundle
from process.asgi import listening

DRAIN_S: Final = 10
KEEP_ALIVE_S: Final = 120
"""Longer than the API server keeps an idle connection (90 s), so that it is never the one whose request gets lost."""
HEADER_LIMIT: Final = 16 * 1024


class Certificates:
    """The TLS context. Raises ssl.SSLError for a certificate that cannot be served; the one before stays then."""

    def __init__(self) -> None:
        self.context = _context()

    def use(self, held: CertificateBundle) -> None:
        """From the next handshake on."""
        fresh = _context()
        _load(fresh, held)  # what does not fit together fails here, not in the context that is in use
        _load(self.context, held)


@asynccontextmanager
async def serving(app: FastAPI, address: str, certificates: Certificates) -> AsyncIterator[None]:
    """Serves while the block runs, then lets requests under way end. Raises what `listening` does."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=HEADER_LIMIT,
        ssl_context_factory=lambda config, default: certificates.context,
    )
    async with listening(address, config):
        yield


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(context: ssl.SSLContext, held: CertificateBundle) -> None:
    """OpenSSL takes both from a file only; this one is memory, has no name, and is gone when it is closed."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, held.certificate + held.key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
