"""The endpoint that every process has: alive, ready, metrics of its own and of the Temporal SDK."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from process.endpoint import UNDER_WAY_S, endpoint
from process.health import Health
from testing.deadlines import PATIENCE_S
from testing.ports import free_port

SDK_METRICS = b"temporal_request_total 7\n"


def client_of(ready: Callable[[], bool], sdk_metrics_port: int | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=Health(ready, sdk_metrics_port))
    return httpx.AsyncClient(transport=transport, base_url="http://process")


@asynccontextmanager
async def sdk_metrics() -> AsyncIterator[int]:
    """Serves what the SDK's own exporter serves. Yields the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(SDK_METRICS)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + SDK_METRICS)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_it_is_alive_before_it_is_ready() -> None:
    async with client_of(lambda: False) as process:
        assert (await process.get("/healthz")).json() == {"status": "alive"}
        answer = await process.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})


async def test_it_is_ready_as_soon_as_it_says_so() -> None:
    async with client_of(lambda: True) as process:
        answer = await process.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
        assert answer.headers["content-type"] == "application/json"


async def test_metrics_are_those_of_python_and_of_the_sdk() -> None:
    async with sdk_metrics() as port, client_of(lambda: True, port) as process:
        answer = await process.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert "python_info" in answer.text and answer.text.endswith(SDK_METRICS.decode())


async def test_metrics_of_a_process_without_the_sdk_are_its_own() -> None:
    async with client_of(lambda: True) as process:
        assert "python_info" in (await process.get("/metrics")).text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/healthz", 405)])
async def test_everything_else_is_refused(method: str, path: str, status: int) -> None:
    async with client_of(lambda: True) as process:
        assert (await process.request(method, path)).status_code == status


async def test_it_answers_over_a_socket_for_the_duration_of_the_block() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with endpoint(address, lambda: True), httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        assert (await http.get(f"http://{address}/healthz")).json() == {"status": "alive"}
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            await http.get(f"http://{address}/healthz")


async def test_a_connection_that_is_kept_open_does_not_delay_the_end() -> None:
    address = f"127.0.0.1:{free_port()}"
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        async with endpoint(address, lambda: True):
            await http.get(f"http://{address}/healthz")
            ending = loop.time()
        assert loop.time() - ending < UNDER_WAY_S
