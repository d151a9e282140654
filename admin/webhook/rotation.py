"""Rotates certificates: keeps the Secret, the served certificate and the API server's CA bundle consistent.

Every round reads the configuration, then the Secret, renews what is due, serves it, and updates the CA bundle. All
replicas do the same; the second finds the work done. While the API server is unavailable, the served certificate stays.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from activities.clients.kubernetes import REQUEST_ERRORS
from admin.webhook.certificates.bundle import CertificateBundle, first_certificates, kept_current, reissue
from admin.webhook.certificates.secret import CertificateStore
from admin.webhook.metrics import EXPIRY, REGISTERED, RENEWALS
from admin.webhook.registration import Configuration, Registration
from admin.webhook.settings import WebhookSettings
from process.x509 import Pem, expiry

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
"""Seconds to the next round after a conflict with another replica or an API error."""


class CertRotator:
    """Runs the rounds; calls `serve` with every new serving certificate."""

    def __init__(
        self,
        store: CertificateStore,
        registration: Registration,
        settings: WebhookSettings,
        serve: Callable[[CertificateBundle], None],
    ) -> None:
        self._store, self._registration, self._settings, self._serve = store, registration, settings, serve
        self._held: CertificateBundle | None = None
        self._trusted: frozenset[Pem] = frozenset()
        self._serving = asyncio.Event()
        self.registered = False

    async def serving(self) -> None:
        """Returns once there are certificates to serve."""
        await self._serving.wait()

    async def run(self) -> None:
        """Runs rounds until cancelled."""
        while True:
            done = await self._try_round()
            interval = self._settings.webhook_check_interval
            await asyncio.sleep(interval if done else min(RETRY_S, interval))

    async def round(self) -> bool:
        """Runs one round; False if something changed meanwhile. Raises ApiException and connection errors."""
        # In this order: see Registration.correct.
        configuration = await self._registration.read()
        stored = await self._store.read()
        wanted = self._current(stored.held)
        if wanted != stored.held:
            if not await self._store.write(wanted, stored.version):
                log.info("another replica changed the certificates; reading them again")
                return False
            self._record_renewals(stored.held, wanted)
        self._use(wanted)
        return await self._registered(configuration, wanted)

    def _current(self, stored: CertificateBundle | None) -> CertificateBundle:
        now, hosts, lifetimes = datetime.now(UTC), self._settings.hosts, self._settings.lifetimes
        if stored is None:
            if self._held is None:
                return first_certificates(hosts, lifetimes, now)
            return reissue(self._held, lifetimes, now)
        return kept_current(stored, hosts=hosts, lifetimes=lifetimes, now=now, trusted=self._trusted)

    def _record_renewals(self, before: CertificateBundle | None, made: CertificateBundle) -> None:
        if before is None or before.newest != made.newest:
            RENEWALS.labels("authority").inc()
            log.info("created an authority, valid until %s", expiry(made.newest).isoformat())
        if before is None or before.certificate != made.certificate:
            RENEWALS.labels("serving").inc()
            log.info("created a serving certificate, valid until %s", expiry(made.certificate).isoformat())

    def _use(self, wanted: CertificateBundle) -> None:
        if self._held is None or self._held.certificate != wanted.certificate:
            self._serve(wanted)
            EXPIRY.set(expiry(wanted.certificate).timestamp())
        self._held = wanted
        self._serving.set()

    async def _registered(self, configuration: Configuration | None, held: CertificateBundle) -> bool:
        if configuration is None:
            self._set_registered(False)
            name = self._settings.webhook_configuration
            log.warning("there is no ValidatingWebhookConfiguration %s; apply deploy/admission", name)
            return True
        # What the configuration trusted before this round has had one interval to reach every API server.
        self._trusted = configuration.trusted
        done = await self._registration.correct(configuration, held.bundle)
        self._set_registered(done or self.registered)
        return done

    def _set_registered(self, registered: bool) -> None:
        self.registered = registered
        REGISTERED.set(int(registered))

    async def _try_round(self) -> bool:
        try:
            return await self.round()
        except REQUEST_ERRORS as error:
            log.warning("certificates could not be checked or renewed; the served one stays: %r", error)
            return False
