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
from admin.webhook.permissions import ClusterPermissions
from admin.webhook.registration import Registration
from admin.webhook.rotation import CertRotator
from admin.webhook.settings import WebhookSettings
from admin.webhook.tls_server import serving
from api.policy.document import Policy
from api.policy.purchases import PolicySource
from api.validation import Problem
from presets.plan.judge import Known, notes, problems_on_create, problems_on_update
from process.endpoint import endpoint
from process.policy import PolicyFile, PolicySettings
from process.run import run
from process.serving.given_certificate import GivenCertificate
from process.serving.tls import Certificates
from process.x509 import Pair, expiry


class AllRules:
    """The rules of the resource, of the catalogue and of the operator's policy, for one node provider.

    `allowed_hosts`: internal hosts from which data is allowed; `region`: whose prices the policy's limits are about.
    """

    def __init__(
        self,
        provider: str,
        allowed_hosts: Collection[str] = (),
        policy: PolicySource = lambda: Policy(),
        region: str = "",
    ) -> None:
        self._provider, self._hosts = provider, frozenset(host.lower() for host in allowed_hosts)
        self._policy, self._region = policy, region

    def on_create(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of a new Workspace."""
        return problems_on_create(document, **self._known(config_maps))

    def on_update(self, old: Document, new: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of an edit."""
        return problems_on_update(old, new, **self._known(config_maps))

    def notes(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """What the author is told of a Workspace."""
        return notes(document, provider=self._provider, config_maps=config_maps, policy=self._policy())

    def _known(self, config_maps: ConfigMaps | None) -> Known:
        return Known(
            provider=self._provider,
            allowed_hosts=self._hosts,
            config_maps=config_maps,
            policy=self._policy(),
            region=self._region,
        )


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
                await _serve(settings, cluster, certificates, stop)
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


async def _serve(settings: WebhookSettings, cluster: Cluster, certificates: Certificates, stop: asyncio.Event) -> None:
    policy = PolicyFile(PolicySettings().policy)
    rules = AllRules(settings.provider, settings.allowed_hosts, policy, settings.azure_location)
    app = webhook_application(rules, ClusterConfigMaps(cluster), ClusterPermissions(cluster))
    async with serving(app, settings.webhook_address, certificates, settings.stop_delay):
        await stop.wait()


def main() -> None:
    """Entry point of `python -m admin.webhook`."""
    run(partial(work, WebhookSettings()))


if __name__ == "__main__":
    main()
