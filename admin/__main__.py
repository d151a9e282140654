"""The admin process: `python -m admin`, configured by the environment. Starts even if Temporal or the API server is
unavailable."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from activities.clients.kubernetes import Cluster
from admin.access.identity import Access, Everybody
from admin.access.kubernetes import KubernetesAccess
from admin.access.pages import LOOPBACK
from admin.app import admin_application
from admin.settings import AdminSettings
from process.beside import beside
from process.connection.rotation import renewing
from process.endpoint import endpoint
from process.exit import CannotStart
from process.run import run
from process.serving.asgi import listening
from process.serving.given_certificate import GivenCertificate
from process.serving.tls import Certificates, own_certificate
from process.settings import TemporalSettings
from process.temporal import connect, runtime_with_metrics

CERTIFICATE_LOOK_S: Final = 30.0
KEEP_ALIVE_S: Final = 30


async def work(settings: AdminSettings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set. Raises OSError if an address cannot be bound, and CannotStart."""
    settings.check()
    runtime, sdk_port = runtime_with_metrics()
    client = await connect(TemporalSettings(), runtime=runtime, lazy=True)
    serving = False
    async with (
        renewing(client),
        endpoint(settings.metrics_address, lambda: serving, sdk_port),
        _access(settings) as access,
        _tls(settings) as tls,
    ):
        app = admin_application(client, access, settings.hosts)
        linger_s = settings.stop_delay
        async with listening(settings.admin_address, app, tls=tls, keep_alive_s=KEEP_ALIVE_S, linger_s=linger_s):
            serving = True
            await stop.wait()


@asynccontextmanager
async def _access(settings: AdminSettings) -> AsyncIterator[Access]:
    if settings.admin_authentication == "none":
        yield Everybody()
        return
    cluster = await Cluster.connect(settings.kubeconfig)
    try:
        yield KubernetesAccess(cluster, settings.admin_audiences)
    finally:
        await cluster.close()


@asynccontextmanager
async def _tls(settings: AdminSettings) -> AsyncIterator[ssl.SSLContext | None]:
    """The context of a server with a certificate; None where it is plain."""
    if settings.plain:
        yield None
        return
    certificates = Certificates()
    if settings.admin_certificate_folder is None:
        certificates.use(own_certificate(settings.admin_service, [*settings.names, *sorted(LOOPBACK)]))
        yield certificates.context
        return
    given = GivenCertificate(settings.admin_certificate_folder, CERTIFICATE_LOOK_S, certificates.use)
    if not given.look():
        raise CannotStart(
            f"{settings.admin_certificate_folder} has no tls.crt and tls.key that can be served: mount the Secret "
            "there, or unset MODELYARD_ADMIN_CERTIFICATE_FOLDER"
        )
    async with beside(given.run(), without_it="the certificate is no longer renewed"):
        yield certificates.context


def main() -> None:
    """Entry point of `python -m admin`."""
    run(partial(work, AdminSettings()))


if __name__ == "__main__":
    main()
