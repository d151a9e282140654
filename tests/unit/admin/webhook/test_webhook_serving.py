"""TLS with certificates that change under a running server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509

from admin.webhook.app import PATH, READ_S, webhook_application
from admin.webhook.certificates.bundle import CertificateBundle, Lifetimes, first_certificates
from admin.webhook.config_maps import NoConfigMaps
from admin.webhook.tls_server import serving
from process.serving.tls import Certificates
from testing.deadlines import PATIENCE_S
from testing.ports import free_port
from testing.workspaces import workspace
from tests.unit.admin.webhook.test_webhook_answers import Recorded, review

HOST = "127.0.0.1"
BODIES, BODY = 50, 2**20
ENOUGH = 5


def made() -> CertificateBundle:
    lifetimes = Lifetimes(authority=timedelta(days=9), serving=timedelta(days=3))
    return first_certificates([HOST], lifetimes, datetime.now(UTC))


@asynccontextmanager
async def started(read_s: float = READ_S) -> AsyncIterator[tuple[str, Certificates, CertificateBundle]]:
    held, certificates = made(), Certificates()
    certificates.use(held)
    address = f"{HOST}:{free_port()}"
    async with serving(webhook_application(Recorded(), NoConfigMaps(), read_s=read_s), address, certificates):
        yield address, certificates, held


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, Certificates, CertificateBundle]]:
    async with started() as found:
        yield found


def trusting(held: CertificateBundle) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=held.bundle.decode())


async def ask(client: httpx.AsyncClient, address: str) -> bool:
    body, headers = review("CREATE", workspace("w")), {"Content-Type": "application/json"}
    answered = await client.post(f"https://{address}{PATH}", content=body, headers=headers)
    return bool(answered.json()["response"]["allowed"])


async def shown(address: str) -> x509.Certificate:
    host, _, port = address.partition(":")
    pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
    return x509.load_pem_x509_certificate(pem.encode())


async def test_a_new_certificate_holds_from_the_next_connection_on(
    server: tuple[str, Certificates, CertificateBundle],
) -> None:
    address, certificates, first = server
    async with httpx.AsyncClient(verify=trusting(first), trust_env=False, timeout=PATIENCE_S) as old:
        assert await ask(old, address)
        second = made()
        certificates.use(second)
        assert await ask(old, address)  # the connection that is open stays
        async with httpx.AsyncClient(verify=trusting(second), trust_env=False, timeout=PATIENCE_S) as new:
            assert await ask(new, address)
    assert await shown(address) == x509.load_pem_x509_certificate(second.certificate)
    async with httpx.AsyncClient(verify=trusting(first), trust_env=False, timeout=PATIENCE_S) as late:
        with pytest.raises(httpx.ConnectError, match="verify failed"):
            await ask(late, address)


async def test_a_certificate_that_cannot_be_served_leaves_the_one_before(
    server: tuple[str, Certificates, CertificateBundle],
) -> None:
    address, certificates, first = server
    with pytest.raises(ssl.SSLError):
        certificates.use(replace(made(), key=made().key))
    assert await shown(address) == x509.load_pem_x509_certificate(first.certificate)
    async with httpx.AsyncClient(verify=trusting(first), trust_env=False, timeout=PATIENCE_S) as client:
        assert await ask(client, address)


async def test_old_tls_is_not_spoken(server: tuple[str, Certificates, CertificateBundle]) -> None:
    address, _, first = server
    context = trusting(first)
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=PATIENCE_S) as client:
        with pytest.raises(httpx.ConnectError):
            await ask(client, address)


async def test_many_large_bodies_at_once_do_not_fill_the_memory_nor_hold_up_an_honest_review() -> None:
    async with started(read_s=PATIENCE_S) as (address, _, held):
        host, _, port = address.partition(":")
        head = f"POST {PATH} HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"

        async def attack() -> bytes:
            reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting(held))
            try:
                writer.write(head.encode() + b" " * (BODY - 1))  # the last byte never comes
                return await reader.readuntil(b"}}}")
            finally:
                writer.close()

        async with httpx.AsyncClient(verify=trusting(held), trust_env=False, timeout=PATIENCE_S) as client:
            assert await ask(client, address)
            attacks = [asyncio.create_task(attack()) for _ in range(BODIES)]
            for answered in asyncio.as_completed(attacks, timeout=PATIENCE_S):
                assert b'"code": 503' in await answered
                assert await ask(client, address)
                if sum(each.done() for each in attacks) > ENOUGH:
                    break
        for each in attacks:
            each.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
