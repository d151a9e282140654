"""ASGI middleware: answers 404 for every route of vLLM's server that is not listed here.

vLLM offers routes that change the server for everybody who uses it: adapters, parallelism, sleep, profiles, weights. It
has no account for its operator, so whoever reaches the pod would be one. What is listed asks the model, or looks.
"""

from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MIDDLEWARE: Final = "runtime.serve.chat.open_routes.OpenRoutes"
"""The name by which vLLM imports it."""
LOOKS: Final = frozenset(
    {
        *("/", "/health", "/healthz", "/ping", "/load", "/metrics", "/version", "/v1/models"),
        *("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"),
    }
)
ASKS: Final = frozenset(
    {
        *("/chat", "/v1/completions", "/v1/chat/completions", "/v1/chat/completions/batch", "/v1/responses"),
        *(
            "/v1/messages",
            "/v1/messages/count_tokens",
            "/cohere/v2/chat",
            "/invocations",
            "/generative_scoring",
            "/v1/systemone",
        ),
        *("/tokenize", "/detokenize", "/tokenizer_info"),
        *("/v1/embeddings", "/v2/embed", "/pooling", "/classify", "/score", "/v1/score", "/rerank", "/v1/rerank"),
        *("/v2/rerank", "/v1/audio/transcriptions", "/v1/audio/translations", "/v1/realtime"),
    }
)
BELOW: Final = ("/v1/responses/", "/metrics/", "/static/")
"""Routes with a variable part: an answer by its id, which only its caller knows, and files of the documentation."""


def is_open(path: str) -> bool:
    """Whether this path is served."""
    return path in LOOKS or path in ASKS or path.startswith(BELOW)


class OpenRoutes:
    """Serves what `is_open`, and refuses the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_open(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            error = {"message": f"{scope['path'][:200]} is not served here", "type": "NotFoundError", "code": 404}
            await JSONResponse({"error": error}, status_code=404)(scope, receive, send)
