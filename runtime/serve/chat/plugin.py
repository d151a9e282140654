"""vLLM's plugin point for HTTP routes: adds `POST /chat`, `GET /` and `GET /healthz` to its API server.

Registered as the entry point `modelyard` of the group `vllm.endpoint_plugins` (runtime/pyproject.toml) and named in
VLLM_PLUGINS by `environment.py`. Requests reach the engine only through vLLM's own handlers of the OpenAI API.
"""

import json
from argparse import Namespace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import State
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.serve.utils.api_utils import load_aware_call, with_cancellation
from vllm.v1.engine.exceptions import EngineDeadError

from api.configs.json_reading import read_json
from runtime.serve.chat.answers import Answering
from runtime.serve.chat.request import ChatRefused, ChatRequest

STATE = "modelyard_answering"


class ChatPlugin:
    """Called by vLLM: once to add routes, once when the engine is ready."""

    name = "modelyard"
    # Only for models that generate text; embedding models do not have /chat.
    required_tasks = ("generate",)

    def attach_router(self, app: FastAPI) -> None:
        app.add_api_route("/chat", chat, methods=["POST"], openapi_extra=_body_schema())
        app.add_api_route("/", running, methods=["GET"])
        app.add_api_route("/healthz", healthz, methods=["GET"])

    async def init_state(self, engine_client: EngineClient | None, state: State, args: Namespace) -> None:
        setattr(state, STATE, None if engine_client is None else Answering(engine_client, state, args.chat_template))


async def chat(request: Request) -> JSONResponse:
    """Serves KAITO's first API. Parses the body itself, because errors have KAITO's format: {"detail": ...}."""
    try:
        body = ChatRequest.model_validate(read_json(await request.body()))
    except ValidationError as error:
        return _refusal(422, json.loads(error.json(include_url=False, include_context=False)))
    except ValueError:
        return _refusal(400, "the body is not JSON")
    answer: JSONResponse = await _answer(body, raw_request=request)
    return answer


async def running(request: Request) -> dict[str, str]:
    """Returns the same text as KAITO's server."""
    return {"message": "Server is running"}


async def healthz(request: Request) -> JSONResponse:
    """Reports whether the engine is alive; KAITO's early name for /health."""
    try:
        await request.app.state.engine_client.check_health()
    except EngineDeadError:
        return _refusal(503, "the engine has died")
    return JSONResponse({"status": "Healthy"})


@with_cancellation  # type: ignore[untyped-decorator]
@load_aware_call  # type: ignore[untyped-decorator]
async def _answer(body: ChatRequest, raw_request: Request) -> JSONResponse:
    answering: Answering = getattr(raw_request.app.state, STATE)
    try:
        return JSONResponse({"Result": await answering.answer(body, raw_request)})
    except ChatRefused as refused:
        return _refusal(400, str(refused))


def _refusal(status: int, detail: Any) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status)


def _body_schema() -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": ChatRequest.model_json_schema()}}}}
