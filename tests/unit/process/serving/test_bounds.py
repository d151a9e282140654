"""Servers of ours under clients that say nothing, half of it, too much, or the same hundreds of times."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from process import endpoint as endpoints
from process.endpoint import endpoint
from process.serving import requests
from process.serving.asgi import listening
from process.serving.bodies import Bodies, BodyRefused, BoundedBodies
from process.serving.connections import CONNECTIONS
from process.serving.tls import Certificates, own_certificate
from testing.deadlines import PATIENCE_S
from testing.ports import free_port

HOST = "127.0.0.1"
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: here\r\n"
SHORT_S = 0.5
LONG_S = 600


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())}")


async def much(request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * 64 * 2**20)


APP = Starlette(routes=[Route("/", hello, methods=["GET", "POST"]), Route("/much", much)])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test waits half a second for what takes five."""
    monkeypatch.setattr(requests, "HEAD_S", SHORT_S)
    monkeypatch.setattr(requests, "REQUEST_S", SHORT_S)


@pytest.fixture
def own_tls() -> ssl.SSLContext:
    certificates = Certificates()
    certificates.use(own_certificate("here", [HOST]))
    return certificates.context


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None, idle_s: int = LONG_S) -> AsyncIterator[int]:
    """Yields the port. Idle connections are kept for longer than a test waits for anything."""
    port = free_port()
    async with listening(f"{HOST}:{port}", APP, tls=tls, keep_alive_s=idle_s):
        yield port


@asynccontextmanager
async def connected(port: int, said: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(said)
    try:
        yield reader
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ended(reader: asyncio.StreamReader, within_s: float = PATIENCE_S) -> None:
    """Returns once the server has closed the connection."""
    async with asyncio.timeout(within_s):
        with contextlib.suppress(ConnectionError):
            await reader.read()


async def answers(port: int, scheme: str = "http", path: str = "/") -> bool:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE_S) as http:
        return (await http.get(f"{scheme}://{HOST}:{port}{path}")).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HALF_A_HEAD, id="half a head"),
        pytest.param(HALF_A_HEAD + b"\r\n" + HALF_A_HEAD, id="half a head with a request"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf", id="half a body"),
    ],
)
@pytest.mark.usefixtures("short")
async def test_a_client_that_does_not_go_on_is_cut_off(said: bytes) -> None:
    async with serving() as port, connected(port, said) as reader:
        await ended(reader)
        assert await answers(port)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_client_that_does_not_read_its_answer_is_cut_off(scheme: str, own_tls: ssl.SSLContext) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # What TLS has still to send is not known: such a connection is ended as an idle one.
    async with serving(*((own_tls, 1) if scheme == "https" else ())) as port:
        _, writer = await asyncio.open_connection(HOST, port, ssl=context if scheme == "https" else None)
        writer.write(b"GET /much HTTP/1.1\r\nHost: here\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(held, port):  # accepted
                await asyncio.sleep(0.05)
            while await asyncio.to_thread(held, port):
                await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0)


def held(port: int) -> int:
    """How many connections our server has on its side."""
    found = psutil.Process().net_connections("tcp4")
    return sum(each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in found)


@pytest.mark.usefixtures("short")
async def test_the_next_head_has_its_time_too() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(HALF_A_HEAD + b"\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"\r\n\r\n0")
        writer.write(HALF_A_HEAD)
        await ended(reader)
        writer.close()


@pytest.mark.usefixtures("short")
async def test_a_connection_that_is_idle_after_its_answer_is_kept() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        for _ in range(2):
            writer.write(HALF_A_HEAD + b"\r\n")
            async with asyncio.timeout(PATIENCE_S):
                await reader.readuntil(b"\r\n\r\n0")
            await asyncio.sleep(SHORT_S * 3)  # nothing happens, and that is it
        writer.close()


@pytest.mark.usefixtures("short")
async def test_a_head_that_drips_is_cut_off_though_it_goes_on() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ConnectionError):
                writer.write(HALF_A_HEAD)
                while True:
                    writer.write(b"x: y\r\n")
                    await writer.drain()
                    await asyncio.sleep(SHORT_S / 10)
        writer.close()
        assert reader.at_eof() or reader.exception() is not None


async def test_a_handshake_that_does_not_come_is_cut_off(
    own_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("process.serving.asgi.HEAD_S", SHORT_S)
    async with serving(own_tls) as port, connected(port) as reader:
        await ended(reader, within_s=45.0)  # asyncio's own limit is 60
        assert await answers(port, "https")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_hundreds_of_silent_connections_leave_room_for_one_that_asks(
    scheme: str, own_tls: ssl.SSLContext
) -> None:
    async with AsyncExitStack() as stack, serving(own_tls if scheme == "https" else None) as port:
        opened = [await stack.enter_async_context(connected(port)) for _ in range(CONNECTIONS + 50)]
        assert await answers(port, scheme)
        # The first were ended for the last.
        for reader in opened[:50]:
            await ended(reader)


async def test_the_connections_of_others_stay_where_one_has_too_many() -> None:
    async with AsyncExitStack() as stack, serving() as port:
        # httpx itself closes a connection that was idle for five seconds.
        kept = httpx.Limits(keepalive_expiry=None)
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2", limits=kept)
        theirs = httpx.AsyncClient(trust_env=False, transport=transport, timeout=PATIENCE_S)
        await stack.enter_async_context(theirs)
        await theirs.get(f"http://{HOST}:{port}/")
        before = theirs._transport._pool.connections[0]  # type: ignore[attr-defined]
        for _ in range(CONNECTIONS + 50):
            await stack.enter_async_context(connected(port))
        await theirs.get(f"http://{HOST}:{port}/")
        assert theirs._transport._pool.connections == [before]  # type: ignore[attr-defined]


async def test_bodies_at_once_take_no_more_memory_than_they_may() -> None:
    bodies, most = Bodies(most=1000), 0

    async def parts(size: int, pieces: int) -> AsyncIterator[bytes]:
        nonlocal most
        for _ in range(pieces):
            await asyncio.sleep(0)
            yield b"x" * size
            most = max(most, sum(len(each.data) for each in bodies._arriving))

    async def read(size: int, pieces: int) -> int:
        try:
            async with bodies.read(parts(size, pieces), limit=800, seconds=PATIENCE_S) as body:
                return len(body)
        except BodyRefused as refused:
            return -refused.status

    small, *large = await asyncio.gather(read(1, 20), *(read(100, 8) for _ in range(40)))
    assert small == 20 and most <= 1000
    assert {-503} <= set(large) <= {-503, 800} and 800 in large
    assert await read(100, 8) == 800


async def test_a_body_that_drips_is_refused() -> None:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    with pytest.raises(BodyRefused) as refused:
        async with Bodies().read(parts(), limit=10_000, seconds=0.1):
            raise AssertionError("it has no end")
    assert refused.value.status == 408


async def test_an_application_gets_its_body_whole_and_nobody_gets_more_in() -> None:
    transport = httpx.ASGITransport(app=BoundedBodies(APP, limit=100, seconds=PATIENCE_S))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        assert (await http.post("/", content=b"x" * 100)).text == "100"
        refused = await http.post("/", content=b"x" * 101)
        assert (refused.status_code, refused.json()["detail"]) == (413, "the request has more than 100 bytes")


async def test_health_answers_beside_hundreds_of_silent_connections() -> None:
    port = free_port()
    async with AsyncExitStack() as stack, endpoint(f"{HOST}:{port}", lambda: True):
        opened = [await stack.enter_async_context(connected(port, HALF_A_HEAD)) for _ in range(200)]
        for _ in range(20):
            assert await answers(port, path="/healthz")
        await ended(opened[0])


async def test_a_silent_connection_to_health_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "CONNECTION_S", SHORT_S)
    port = free_port()
    async with endpoint(f"{HOST}:{port}", lambda: True), connected(port, HALF_A_HEAD) as reader:
        await ended(reader)
