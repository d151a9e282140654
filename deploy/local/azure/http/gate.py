"""Middleware in front of all routes: token, call counts, faults of the network and of ARM's front end.

Pure ASGI, because one of the faults lets a request take effect and then closes the connection without a response.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from secrets import compare_digest
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.local.azure.errors import ArmError, ErrorBody, front_end
from deploy.local.azure.faults import Fault, Target, take
from deploy.local.azure.records import RecordsFile

CONTROL_PREFIX = "/_control/"
# Start-up probes have no token, and the records hold no secret.
UNCHECKED = ("/_control/state",)
# Route names, as used by faults and call counts. The first pattern that matches the path wins.
ROUTES = (
    ("operation", re.compile(r"/operations/[^/]+$", re.IGNORECASE)),
    ("operationResult", re.compile(r"/operationresults/[^/]+$", re.IGNORECASE)),
    ("agentPool", re.compile(r"/agentPools/(?P<pool>[^/]+)$", re.IGNORECASE)),
    ("abort", re.compile(r"/agentPools/(?P<pool>[^/]+)/abort$", re.IGNORECASE)),
    ("deleteMachines", re.compile(r"/agentPools/(?P<pool>[^/]+)/deleteMachines$", re.IGNORECASE)),
    ("agentPools", re.compile(r"/agentPools$", re.IGNORECASE)),
    ("stop", re.compile(r"/managedClusters/[^/]+/stop$", re.IGNORECASE)),
    ("start", re.compile(r"/managedClusters/[^/]+/start$", re.IGNORECASE)),
    ("managedCluster", re.compile(r"/managedClusters/[^/]+$", re.IGNORECASE)),
    ("managedClusters", re.compile(r"/managedClusters$", re.IGNORECASE)),
    ("skus", re.compile(r"/Microsoft\.Compute/skus$", re.IGNORECASE)),
    ("usages", re.compile(r"/usages$", re.IGNORECASE)),
)
FRONT_END_FAULTS = ("throttled", "server-error")


@dataclass
class Calls:
    """How often each "METHOD route" was called since the start or the last reset, refused requests included."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        self.counts.clear()
        self.statuses.clear()


class Gate:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, file: RecordsFile, calls: Calls, token: str) -> None:
        self._app, self._file, self._calls, self._token = app, file, calls, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCHECKED:
            await self._app(scope, receive, send)
            return
        refusal = self._refused_token(scope)
        if scope["path"].startswith(CONTROL_PREFIX):
            await (_answer(refusal) if refusal else self._app)(scope, receive, send)
            return
        target = target_of(scope["method"], scope["path"])
        refusal = refusal or _missing_version(scope) or self._front_end_fault(target)
        await self._pass(target, _answer(refusal) if refusal else self._app, scope, receive, send)

    async def _pass(self, target: Target, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts the call and passes it on, or lets it take effect and closes the connection."""
        call = f"{target.method} {target.route}"
        self._calls.counts[call] += 1

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._calls.statuses[f"{call} {message['status']}"] += 1
            await send(message)

        if self._take(("lost-response",), target) is None:
            await app(scope, receive, counting)
            return
        await app(scope, receive, _into_nothing)
        await _hang_up(scope, receive)

    def _front_end_fault(self, target: Target) -> ArmError | None:
        fault = self._take(FRONT_END_FAULTS, target)
        return None if fault is None else _front_end_refusal(fault)

    def _take(self, kinds: tuple[str, ...], target: Target) -> Fault | None:
        fault = take(self._file.records.faults, kinds, target)
        if fault is not None:
            self._file.save()
        return fault

    def _refused_token(self, scope: Scope) -> ArmError | None:
        scheme, _, given = _header(scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer" and compare_digest(given.strip().encode(), self._token.encode()):
            return None
        missing = "Authentication failed. The 'Authorization' header is missing."
        problem = "The access token is invalid." if given else missing
        challenge = 'Bearer authorization_uri="https://login.microsoftonline.com/common", error="invalid_token"'
        code = "InvalidAuthenticationToken" if given else "AuthenticationFailed"
        return front_end(401, code, problem, WWW_Authenticate=challenge)


def target_of(method: str, path: str) -> Target:
    """Returns the target of a request, for faults and for counting; unknown paths are the route "other"."""
    for route, pattern in ROUTES:
        if found := pattern.search(path):
            return Target(pool=found.groupdict().get("pool", ""), method=method, route=route)
    return Target(method=method, route="other")


def _front_end_refusal(fault: Fault) -> ArmError:
    if fault.kind == "throttled":
        message = "The request is being throttled as the limit has been reached for operation type. Retry later."
        return front_end(429, "TooManyRequests", message, Retry_After=str(max(1, round(fault.delay))))
    codes = {502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout"}
    code = codes.get(fault.status, "InternalServerError")
    message = "The server encountered an internal error. Please retry the request."
    return ArmError(fault.status, ErrorBody(code=code, message=message), wrapped=True)


def _missing_version(scope: Scope) -> ArmError | None:
    if b"api-version=" in scope["query_string"]:
        return None
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return front_end(400, "MissingApiVersionParameter", message)


def _answer(refusal: ArmError) -> ASGIApp:
    return JSONResponse(refusal.content(), refusal.status, refusal.headers)


def _header(scope: Scope, name: bytes) -> str:
    values: list[bytes] = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if values else ""


async def _into_nothing(message: Message) -> None:
    return None


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Closes the connection and waits until the server has noticed; otherwise the server would send a 500."""
    transport: Any = scope["state"]["transport"]
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
