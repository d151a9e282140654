"""How requests get to Azure: few connections, bounded time and repeats, counted, and not in the log."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from azure.core.exceptions import HttpResponseError, ServiceResponseTimeoutError
from prometheus_client import Counter

from activities.clients import azure as azure_client
from activities.clients import azure_transport
from activities.clients.azure import Azure, AzureSettings
from activities.clients.azure_transport import CONNECT_S, READ_S, REPEATED, REPEATS, REQUESTS, open_transport
from activities.contract import signatures
from activities.contract.policies import config_of
from activities.errors.azure import from_azure
from process.x509 import SERVER, Pair, Subject, make_authority, make_certificate

LOOPBACK = "127.0.0.1"
POOL = {"name": "pool", "properties": {"count": 1, "vmSize": "Standard_NC24ads_A100_v4"}}


class Arm:
    """An HTTPS server on loopback that answers what a test says, and knows who connected."""

    def __init__(self) -> None:
        self.connections: set[object] = set()
        self.requests = 0
        self.answer: Callable[[int], Awaitable[web.Response]] = self._a_pool

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        return await self.answer(self.requests)

    async def _a_pool(self, number: int) -> web.Response:
        return web.json_response(POOL)


@pytest.fixture(scope="module")
def authority() -> Pair:
    return make_authority("loopback", now=datetime.now(UTC), lifetime=timedelta(days=1))


@pytest.fixture
async def arm() -> Arm:
    return Arm()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads that are given up soon, though not before the server has the request; for clients made after it."""
    monkeypatch.setattr(azure_transport, "READ_S", 1.0)


@pytest.fixture
async def azure(arm: Arm, authority: Pair, tmp_path: Path) -> AsyncIterator[Azure]:
    """The SDK's clients for the server, as the cloud worker makes them."""
    made = make_certificate(
        Subject("arm", (), (LOOPBACK,)), authority, uses=SERVER, now=datetime.now(UTC), lifetime=timedelta(days=1)
    )
    (tmp_path / "tls.crt").write_bytes(made.certificate)
    (tmp_path / "tls.key").write_bytes(made.key)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    (tmp_path / "token").write_text("token")
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", arm.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0, ssl_context=server_side).start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        host, port = runner.addresses[0][:2]
        settings = AzureSettings(
            subscription_id="subscription", resource_group="group", cluster="cluster", location="eastus",
            endpoint=f"https://{host}:{port}", ca_file=tmp_path / "ca.crt",
            credential=f"token-file:{tmp_path / 'token'}",
        )  # fmt: skip
        yield await azure_client.connect(settings, stack)


async def read_pool(azure: Azure) -> str:
    pool = await azure.pools.agent_pools.get("group", "cluster", "pool")
    return str(pool.name)


async def test_requests_in_turn_share_connections(arm: Arm, azure: Azure) -> None:
    for _ in range(100):
        assert await read_pool(azure) == "pool"
    assert arm.requests == 100
    assert len(arm.connections) <= 3


async def test_requests_are_not_in_the_log(azure: Azure, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await read_pool(azure)
    assert [record.name for record in caplog.records if record.name.startswith("azure")] == []


async def test_few_repeats_are_sent_and_all_requests_counted(arm: Arm, azure: Azure) -> None:
    async def recovers(number: int) -> web.Response:
        return web.json_response(POOL) if number == 3 else web.Response(status=503)

    arm.answer = recovers
    answered, failed = REQUESTS.labels("GET", "2xx"), REQUESTS.labels("GET", "5xx")
    before = count(answered), count(failed), count(REPEATED.labels("GET"))
    assert await read_pool(azure) == "pool"
    after = count(answered), count(failed), count(REPEATED.labels("GET"))
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 2, 2]


async def test_an_outage_is_left_to_temporal_after_the_last_repeat(arm: Arm, azure: Azure) -> None:
    async def never(number: int) -> web.Response:
        return web.Response(status=503)

    arm.answer = never
    with pytest.raises(HttpResponseError):
        await read_pool(azure)
    assert arm.requests == REPEATS + 1


async def test_an_answer_that_does_not_come_is_given_up(quick: None, arm: Arm, azure: Azure) -> None:
    async def hangs(number: int) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    arm.answer = hangs
    lost = REQUESTS.labels("GET", "lost")
    before = count(lost)
    with pytest.raises(ServiceResponseTimeoutError) as error:
        await read_pool(azure)
    assert arm.requests == count(lost) - before == REPEATS + 1
    assert from_azure(error.value).type == "CloudUnreachable"


@pytest.mark.parametrize(("pause", "requests"), [("1", REPEATS + 1), ("60", 1)])
async def test_a_long_pause_that_arm_asks_for_is_left_to_temporal(
    arm: Arm, azure: Azure, pause: str, requests: int
) -> None:
    async def throttled(number: int) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": pause})

    arm.answer = throttled
    with pytest.raises(HttpResponseError) as error:
        await read_pool(azure)
    assert arm.requests == requests
    reported = from_azure(error.value)
    assert (reported.type, reported.next_retry_delay) == ("CloudThrottled", timedelta(seconds=int(pause)))


def test_a_request_ends_before_the_activity_that_sends_it() -> None:
    for signature in (signatures.READ_PREFLIGHT, signatures.READ_OWNED_POOLS):
        limit = config_of(signature)["start_to_close_timeout"]
        assert limit is not None and limit.total_seconds() > CONNECT_S + READ_S


async def test_a_ca_file_without_certificates_is_refused_by_its_settings_name(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    async with AsyncExitStack() as stack:
        for file in (tmp_path / "ca.crt", tmp_path / "missing.crt"):
            with pytest.raises(ValueError, match="MODELYARD_AZURE_CA_FILE"):
                await open_transport(file, stack)


async def test_the_transport_is_closed_by_its_stack_and_not_by_a_client() -> None:
    async with AsyncExitStack() as stack:
        transport = await open_transport(None, stack)
        async with transport:
            assert transport.session is not None
        assert not transport.session.closed, "the other clients go on"
    assert transport.session.closed


def count(counter: Counter) -> float:
    return next(
        sample.value for metric in counter.collect() for sample in metric.samples if sample.name[-6:] == "_total"
    )
