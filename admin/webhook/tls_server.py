"""Serves the application over TLS with certificates that can be replaced at run time.

Open connections keep their certificate; new ones get the newest.
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
from process.x509 import Pair

DRAIN_S: Final = 10
KEEP_ALIVE_S: Final = 120
"""Longer than the API server keeps an idle connection (90 s), so that this side never closes one in use."""
HEADER_LIMIT: Final = 16 * 1024


class Certificates:
    """The TLS context. Raises ssl.SSLError for an unusable certificate and keeps the previous one."""

    def __init__(self) -> None:
        self.context = _context()

    def use(self, held: CertificateBundle | Pair) -> None:
        """Uses the certificate from the next handshake on."""
        fresh = _context()
        _load(fresh, held)  # a mismatch of key and certificate fails here, not in the context in use
        _load(self.context, held)


@asynccontextmanager
async def serving(app: FastAPI, address: str, certificates: Certificates, linger_s: float = 0.0) -> AsyncIterator[None]:
    """Serves while the block runs and for `linger_s` after, then lets requests under way finish. Raises what
    `listening` does."""
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
    async with listening(address, config, linger_s):
        yield


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(context: ssl.SSLContext, held: CertificateBundle | Pair) -> None:
    """Loads key and certificate. OpenSSL reads them from files only, so this uses an anonymous in-memory file."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, held.certificate + held.key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
