"""Of vLLM's routes, those that ask the model or look are served; those that change the server are not there."""

import asyncio
from importlib import import_module
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from runtime.serve.chat.open_routes import MIDDLEWARE, OpenRoutes


async def served(request: Request) -> PlainTextResponse:
    return PlainTextResponse("served")


async def opened(websocket: WebSocket) -> None:
    await websocket.accept()


ROUTES = [
    Route("/{path:path}", served, methods=["GET", "POST", "PUT", "DELETE"]),
    WebSocketRoute("/{path:path}", opened),
]
APP = OpenRoutes(Starlette(routes=ROUTES))


async def asked(method: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://pod") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/adapters", "/adapters/loud", "/scale_elastic_ep"),
        *("/is_scaling_elastic_ep", "/sleep", "/wake_up", "/reset_prefix_cache", "/collective_rpc", "/start_profile"),
        *("/update_weights", "/inference/v1/generate", "/fault_tolerance/status", "/server_info", "/anything-new"),
        *("/sleep/", "/v1/chat/completions/../../../sleep", "/%73leep"),
    ],
)
async def test_nobody_changes_the_server_by_its_routes(path: str) -> None:
    for method in ("POST", "GET", "DELETE"):
        response = await asked(method, path)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == 404


@pytest.mark.parametrize(
    "path",
    ["/health", "/v1/models", "/v1/completions", "/v1/chat/completions", "/chat", "/metrics/", "/v1/responses/r-1"],
)
async def test_the_model_is_asked_and_looked_at(path: str) -> None:
    assert (await asked("POST", path)).text == "served"


@pytest.mark.parametrize(("path", "first"), [("/v1/realtime", "websocket.accept"), ("/control", "websocket.close")])
async def test_so_it_is_with_web_sockets(path: str, first: str) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: dict[str, Any] = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}
    await asyncio.wait_for(APP(scope, receive, send), 30)
    assert sent[0]["type"] == first


def test_vllm_imports_it_by_its_name() -> None:
    module, _, name = MIDDLEWARE.rpartition(".")
    assert getattr(import_module(module), name) is OpenRoutes
