"""The webhook process: `python -m admin.webhook`, configured by the environment. Starts even if the API server is
unavailable.

Ready means that it serves, and that the API server's webhook configuration trusts its certificates. Where others keep
the certificate the second is not known.
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from activities.clients.kubernetes import Cluster
from admin.webhook.admission_review import Document
from admin.webhook.app import webhook_application
from admin.webhook.certificates.secret import CertificateStore
from admin.webhook.config_maps import ClusterConfigMaps, ConfigMaps
from admin.webhook.given_certificates import GivenCertificate
from admin.webhook.registration import Registration
from admin.webhook.rotation import CertRotator
from admin.webhook.settings import WebhookSettings
from admin.webhook.tls_server import Certificates, serving
from api.validation import Problem
from presets.admission.rules import problems_on_create, problems_on_update
from process.endpoint import endpoint
from process.run import run


class AllRules:
    """The rules of the resource and of the catalogue, for one node provider.

    `allowed_hosts`: internal hosts from which data is allowed. `remote_code_allowed`: whether code of the model's
    repository may run.
    """

    def __init__(self, provider: str, allowed_hosts: Collection[str] = (), remote_code_allowed: bool = False) -> None:
        self._around: dict[str, Any] = {
            "provider": provider,
            "allowed_hosts": frozenset(host.lower() for host in allowed_hosts),
            "remote_code_allowed": remote_code_allowed,
        }

    def on_create(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of a new Workspace."""
        return problems_on_create(document, config_maps=config_maps, **self._around)

    def on_update(self, old: Document, new: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of an edit."""
        return problems_on_update(old, new, config_maps=config_maps, **self._around)


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
        return GivenCertificate(folder, interval_s, certificates.use)
    store = CertificateStore(cluster, settings.system_namespace, settings.webhook_secret)
    return CertRotator(store, Registration(cluster, settings.webhook_configuration), settings, certificates.use)


async def _serve(
    settings: WebhookSettings, config_maps: ClusterConfigMaps, certificates: Certificates, stop: asyncio.Event
) -> None:
    rules = AllRules(settings.provider, settings.allowed_hosts, settings.remote_code_allowed)
    app = webhook_application(rules, config_maps)
    async with serving(app, settings.webhook_address, certificates, settings.stop_delay):
        await stop.wait()


def main() -> None:
    """Entry point of `python -m admin.webhook`."""
    run(partial(work, WebhookSettings()))


if __name__ == "__main__":
    main()
