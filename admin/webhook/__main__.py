"""The webhook process: `python -m admin.webhook`, configured by the environment. Starts even if the API server is
unavailable.

Ready means that it serves, and that the API server's webhook configuration trusts its certificates. Where others keep
the certificate the second is not known.
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

from activities.clients.kubernetes import Cluster
from admin.webhook.admission_review import Document
from admin.webhook.app import webhook_application
from admin.webhook.certificates.secret import CertificateStore
from admin.webhook.config_maps import ClusterConfigMaps, ConfigMaps
from admin.webhook.metrics import EXPIRY, REGISTERED
from admin.webhook.registration import Registration
from admin.webhook.rotation import CertRotator
from admin.webhook.settings import WebhookSettings
from admin.webhook.tls_server import serving
from api.validation import Problem
from presets.admission.rules import problems_on_create, problems_on_update
from process.endpoint import endpoint
from process.run import run
from process.serving.given_certificate import GivenCertificate
from process.serving.tls import Certificates
from process.x509 import Pair, expiry


class AllRules:
    """The rules of the resource and of the catalogue, for one node provider.

    `allowed_hosts`: internal hosts from which data is allowed.
    """

    def __init__(self, provider: str, allowed_hosts: Collection[str] = ()) -> None:
        self._provider, self._hosts = provider, frozenset(host.lower() for host in allowed_hosts)

    def on_create(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of a new Workspace."""
        return problems_on_create(document, provider=self._provider, allowed_hosts=self._hosts, config_maps=config_maps)

    def on_update(self, old: Document, new: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of an edit."""
        return problems_on_update(old, new, provider=self._provider, allowed_hosts=self._hosts, config_maps=config_maps)


async def work(settings: WebhookSettings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set. Raises OSError if an address cannot be bound."""
    cluster = await Cluster.connect(settings.kubeconfig)
    certificates = Certificates()
    keeper = _keeper(settings, cluster, certificates)
    try:
        async with endpoint(settings.metrics_address, lambda: keeper.registered), asyncio.TaskGroup() as group:
            keeping = group.create_task(keeper.run())
            first = [group.create_task(keeper.serving()), group.create_task(stop.wait())]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                await _serve(settings, ClusterConfigMaps(cluster), certificates, stop)
            for task in (keeping, *first):
                task.cancel()
    finally:
        await cluster.close()


def _keeper(settings: WebhookSettings, cluster: Cluster, certificates: Certificates) -> CertRotator | GivenCertificate:
    """What keeps the served certificate current."""
    if settings.webhook_certificate_folder:
        folder, interval_s = settings.webhook_certificate_folder, settings.webhook_check_interval
        return GivenCertificate(folder, interval_s, partial(_use, certificates))
    store = CertificateStore(cluster, settings.system_namespace, settings.webhook_secret)
    return CertRotator(store, Registration(cluster, settings.webhook_configuration), settings, certificates.use)


def _use(certificates: Certificates, given: Pair) -> None:
    certificates.use(given)
    EXPIRY.set(expiry(given.certificate).timestamp())
    REGISTERED.set(1)


async def _serve(
    settings: WebhookSettings, config_maps: ClusterConfigMaps, certificates: Certificates, stop: asyncio.Event
) -> None:
    app = webhook_application(AllRules(settings.provider, settings.allowed_hosts), config_maps)
    async with serving(app, settings.webhook_address, certificates, settings.stop_delay):
        await stop.wait()


def main() -> None:
    """Entry point of `python -m admin.webhook`."""
    run(partial(work, WebhookSettings()))


if __name__ == "__main__":
    main()
