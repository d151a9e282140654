"""A server that is about to stop answers for a while, and ends its connections by answers instead of under requests."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from process.serving.asgi import listening
from testing.deadlines import PATIENCE_S
from testing.ports import free_port

LINGER_S = 2.0


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


def an_app() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def hello() -> str:
        return "hello"

    return app


async def serve(address: str, stop: asyncio.Event, linger_s: float) -> None:
    async with listening(address, an_app(), linger_s=linger_s):
        await stop.wait()


async def test_answers_given_while_it_lingers_end_their_connections(address: str) -> None:
    stop = asyncio.Event()
    served = asyncio.create_task(serve(address, stop, LINGER_S))
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=PATIENCE_S) as client:
        while True:
            try:
                before = await client.get("/")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
        assert "connection" not in before.headers
        stop.set()
        while "connection" not in (first := await client.get("/")).headers:
            await asyncio.sleep(0.01)
        after = [first, await client.get("/")]
        assert [(one.status_code, one.headers["connection"]) for one in after] == [(200, "close")] * 2
        assert not served.done()
        await served
        with pytest.raises(httpx.ConnectError):
            await client.get("/")


async def test_it_stops_at_once_where_nobody_has_to_learn_of_it(address: str) -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(LINGER_S * 30):
        await serve(address, stop, 0.0)


async def test_a_failure_is_not_lingered_over(address: str) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        async with asyncio.timeout(30), listening(address, an_app(), linger_s=3600.0):
            raise RuntimeError("broken")
