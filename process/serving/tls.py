"""TLS of a server whose certificate can be replaced while it runs.

Open connections keep their certificate; new ones get the newest. Where certificates come from is left to the callers:
`given_certificate.py` reads mounted ones, the webhook and `own_certificate` make theirs.
"""

import os
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from process.x509 import Pair

OWN_LIFETIME: Final = timedelta(days=730)
"""Of a certificate that one process makes for itself: longer than any pod runs, because nobody renews it."""


class Served(Protocol):
    """A certificate and its key, both PEM."""

    @property
    def certificate(self) -> bytes: ...
    @property
    def key(self) -> bytes: ...


class Certificates:
    """The TLS context. Raises ssl.SSLError for an unusable certificate and keeps the previous one."""

    def __init__(self) -> None:
        self.context = _context()

    def use(self, held: Served) -> None:
        """Uses the certificate from the next handshake on."""
        fresh = _context()
        _load(fresh, held)  # a mismatch of key and certificate fails here, not in the context in use
        _load(self.context, held)


def own_certificate(common_name: str, hosts: list[str]) -> "Pair":
    """Makes a certificate that no authority vouches for: it keeps what is sent from whoever listens, and no more."""
    # Imported where it is used: cryptography is megabytes, and most processes never make a certificate.
    from process.x509 import SERVER, Subject, make_authority, make_certificate

    now = datetime.now(UTC)
    authority = make_authority(f"{common_name}-ca", now=now, lifetime=OWN_LIFETIME)
    return make_certificate(Subject(common_name, hosts=hosts), authority, uses=SERVER, now=now, lifetime=OWN_LIFETIME)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(context: ssl.SSLContext, held: Served) -> None:
    """Loads key and certificate. OpenSSL reads them from files only, so this uses an anonymous in-memory file."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, held.certificate + held.key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
