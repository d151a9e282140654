"""Certificates and authorities change under load, are lost and spoilt, and no request notices."""

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster
from deploy.local.layout import LOOPBACK, Layout
from deploy.local.services import modelyard
from testing.deadlines import PATIENCE_S
from testing.kubectl_client import Kubectl
from testing.workspaces import workspace
from tests.integration.admission.conftest import Webhook

SECRET = ("Secret", "modelyard-webhook-certificates", "modelyard-system")
SECRET_PATH = "/api/v1/namespaces/modelyard-system/secrets/modelyard-webhook-certificates"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/modelyard"
# A new serving certificate every 8 s, a new authority every 24 s; a third of that is left to take them up.
QUICK = {
    "MODELYARD_WEBHOOK_CERTIFICATE_LIFETIME": "PT12S",
    "MODELYARD_WEBHOOK_AUTHORITY_LIFETIME": "PT36S",
    "MODELYARD_WEBHOOK_CHECK_INTERVAL": "1",
}
AT_ONCE = 4


@dataclass
class Load:
    """The requests of a load that failed, and how many went well."""

    failed: list[ApiException] = field(default_factory=list)
    good: int = 0

    async def more(self, wanted: int) -> None:
        """Returns when so many more requests have ended."""
        target = self.good + len(self.failed) + wanted
        async with asyncio.timeout(PATIENCE_S):
            while self.good + len(self.failed) < target:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def load(cluster: Cluster, namespace: str) -> AsyncIterator[Load]:
    """Dry-run creations while the block runs, AT_ONCE at a time."""
    made = Load()
    body: dict[str, Any] = workspace("w", preset="phi-4-mini-instruct")
    body["metadata"] = {"name": "w", "namespace": namespace}

    async def create() -> None:
        while True:
            try:
                await cluster.request("POST", path_of("Workspace", namespace), query={"dryRun": "All"}, body=body)
                made.good += 1
            except ApiException as error:
                made.failed.append(error)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(create()) for _ in range(AT_ONCE)]
        yield made
        for task in tasks:
            task.cancel()


async def start_afresh(webhook: Webhook, cluster: Cluster, settings: dict[str, str]) -> None:
    """With these settings, and with nothing that an earlier test's certificates left."""
    webhook.stop()
    await cluster.request("DELETE", SECRET_PATH)
    webhook.start(**settings)


async def data(cluster: Cluster) -> dict[str, bytes]:
    found = await cluster.get(*SECRET)
    assert found is not None
    return {key: base64.b64decode(value) for key, value in found["data"].items()}


def authorities(pem: bytes) -> list[int]:
    return [each.serial_number for each in x509.load_pem_x509_certificates(pem)]


async def served(layout: Layout) -> int:
    """The serial number of what the process shows now."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, (LOOPBACK, layout.ports.webhook))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


async def test_rotation_under_load_loses_no_request(
    webhook: Webhook, api_server: Layout, cluster: Cluster, kubectl: Kubectl
) -> None:
    await start_afresh(webhook, cluster, QUICK)
    first = authorities((await data(cluster))["ca.crt"])
    shown: set[int] = set()
    deadline = time.monotonic() + PATIENCE_S
    async with load(cluster, kubectl.namespace) as seen:
        while first[0] in authorities((await data(cluster))["ca.crt"]) or len(shown) < 4:
            assert time.monotonic() < deadline, f"only {len(shown)} certificates in {PATIENCE_S:g} s"
            shown.add(await served(api_server))
            await asyncio.sleep(0.3)
    assert [error.body for error in seen.failed[:3]] == []


async def test_a_lost_secret_is_made_again_under_load(
    webhook: Webhook, api_server: Layout, cluster: Cluster, kubectl: Kubectl
) -> None:
    await start_afresh(webhook, cluster, {"MODELYARD_WEBHOOK_CHECK_INTERVAL": "1"})
    before = await served(api_server)
    async with load(cluster, kubectl.namespace) as seen:
        await cluster.request("DELETE", SECRET_PATH)
        async with asyncio.timeout(PATIENCE_S):
            while await served(api_server) == before:
                await asyncio.sleep(0.2)
        await seen.more(10 * AT_ONCE)  # with the new certificate, every one of them
    assert [error.body for error in seen.failed[:3]] == []


async def test_what_is_stored_is_what_is_trusted_and_for_our_names(
    webhook: Webhook, api_server: Layout, cluster: Cluster
) -> None:
    held = await data(cluster)
    hooks = (await cluster.request("GET", CONFIGURATION))["webhooks"]
    bundles = [base64.b64decode(hook["clientConfig"]["caBundle"]) for hook in hooks]
    assert [authorities(bundle) for bundle in bundles] == [authorities(held["ca.crt"])] * 2
    context = ssl.create_default_context(cadata=held["ca.crt"].decode())
    for name in ("modelyard-webhook.modelyard-system.svc", LOOPBACK):
        _, writer = await asyncio.open_connection(LOOPBACK, api_server.ports.webhook, ssl=context, server_hostname=name)
        writer.close()


async def test_a_bundle_that_somebody_removed_is_put_back(webhook: Webhook, cluster: Cluster) -> None:
    webhook.stop()
    webhook.start(MODELYARD_WEBHOOK_CHECK_INTERVAL="0.5")
    removal: list[dict[str, Any]] = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    await cluster.request("PATCH", CONFIGURATION, body=removal, content_type="application/json-patch+json")
    async with asyncio.timeout(PATIENCE_S):
        while "caBundle" not in (await cluster.request("GET", CONFIGURATION))["webhooks"][0]["clientConfig"]:
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/namespaces/modelyard-system/secrets/another"),
        ("DELETE", SECRET_PATH),
        ("GET", "/apis/kaito.sh/v1beta1/workspaces"),
        ("GET", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/another"),
        ("DELETE", CONFIGURATION),
    ],
)
async def test_the_process_may_do_nothing_else(webhook: Webhook, api_server: Layout, verb: str, path: str) -> None:
    identity = await Cluster.connect(str(api_server.kubeconfig_of(modelyard.WEBHOOK.identity.replace(":", "-"))))
    try:
        with pytest.raises(ApiException) as error:
            await identity.request(verb, path)
        assert error.value.status == 403
    finally:
        await identity.close()
