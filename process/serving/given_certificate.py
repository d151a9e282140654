"""Serves a certificate that others keep current, such as cert-manager or whoever renews a mounted Secret.

The files are read again at every check. That clients trust their authority is left to those who made them.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from process.x509 import Pair, expiry

log = logging.getLogger(__name__)

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
"""Names in a Secret of type kubernetes.io/tls."""
RETRY_S: Final = 1.0
"""Seconds to the next look at files that cannot be used: those of a Secret do not change all at the same moment."""


class GivenCertificate:
    """The certificate in a folder; calls `serve` with each new one. Of the same use as the webhook's `CertRotator`."""

    def __init__(self, folder: Path, interval_s: float, serve: Callable[[Pair], None]) -> None:
        self._folder, self._interval_s, self._serve = folder, interval_s, serve
        self._held: Pair | None = None
        self._serving = asyncio.Event()

    @property
    def registered(self) -> bool:
        """Whether there is a certificate to serve; who trusts it is not known here."""
        return self._serving.is_set()

    async def serving(self) -> None:
        """Returns once there is a certificate to serve."""
        await self._serving.wait()

    async def run(self) -> None:
        """Looks until cancelled. Files that cannot be used are reported, and the served certificate stays."""
        while True:
            usable = self.look()
            await asyncio.sleep(self._interval_s if usable else min(RETRY_S, self._interval_s))

    def look(self) -> bool:
        """Serves what the files hold; False if that cannot be served."""
        try:
            found = Pair((self._folder / CERTIFICATE).read_bytes(), (self._folder / KEY).read_bytes())
            if found != self._held:
                ends = expiry(found.certificate)
                self._serve(found)
                log.info("serving the certificate of %s, valid until %s", self._folder, ends.isoformat())
        except (OSError, ValueError, ssl.SSLError) as error:
            log.warning("the certificate in %s cannot be used; the served one stays: %r", self._folder, error)
            return False
        self._held = found
        self._serving.set()
        return True
