"""Stands before the admin API: only known Hosts, no requests of foreign pages, nobody who is not known; and, once a
route is found, nobody without its right.

Health is answered to everybody: probes have no token. Who is known is `identity.py`'s.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.access.identity import Access, Identity, Refused
from admin.access.pages import SAFE, host_problem, page_problem
from admin.access.rights import NOTHING, VERBS, Right, names_problem

OPEN: Final = frozenset({"/healthz", "/readyz"})
IDENTITY: Final = "modelyard.identity"
"""Of whoever asks, in the scope of a request."""
log = logging.getLogger(__name__)


class Guard:
    """Lets known people through to the application. `hosts`: names, in lower case, by which this service is asked."""

    def __init__(self, app: ASGIApp, access: Access, hosts: Collection[str]) -> None:
        self._app, self._access, self._hosts = app, access, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if problem := host_problem(headers, self._hosts):
            await _answer(421, problem)(scope, receive, send)
            return
        if problem := page_problem(scope["method"], headers):
            await _answer(403, problem)(scope, receive, send)
            return
        try:
            identity = await self._access.identify(_token(headers))
        except Refused as refused:
            await _answer(refused.status, str(refused))(scope, receive, send)
            return
        await self._app({**scope, IDENTITY: identity}, receive, _told(scope, identity, send))


def require_right(access: Access) -> Callable[[Request], Awaitable[None]]:
    """Returns the dependency of all routes that asks for the right of the route that was found."""

    async def required(request: Request) -> None:
        verb = VERBS.get((request.method, request.scope["route"].path))
        if verb is None:
            raise HTTPException(403, "nobody has a right to this request: admin/access/rights.py does not name it")
        if verb == NOTHING:
            return
        right = Right(verb, namespace_of(request), request.path_params.get("name", ""))
        if problem := names_problem(right.namespace, right.name):
            raise HTTPException(422, problem)
        try:
            await access.require(request.scope[IDENTITY], right)
        except Refused as refused:
            raise HTTPException(refused.status, str(refused)) from None

    return required


def namespace_of(request: Request) -> str:
    """Returns the namespace that a request is about; empty for all."""
    return str(request.path_params.get("namespace") or request.query_params.get("namespace", ""))


def _token(headers: Headers) -> str:
    """Returns the token of `Authorization: Bearer TOKEN` (RFC 6750); empty without one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _told(scope: Scope, identity: Identity, send: Send) -> Send:
    """Logs who has changed what."""
    if scope["method"] in SAFE:
        return send

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            log.info("%s %r by %r: %d", scope["method"], scope["path"], identity.name, message["status"])
        await send(message)

    return told


def _answer(status: int, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"detail": message}, status_code=status, headers=headers)
