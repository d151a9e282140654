"""A server on loopback that answers lists and watches as a test says, one answer after the other."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from kubernetes.aio import client as kubernetes_client

from activities.clients.kubernetes import Cluster, Object
from testing.deadlines import PATIENCE_S

WITHIN_S = PATIENCE_S
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pod(name: str, uid: str = "", version: int = 1, **labels: str) -> Object:
    metadata = {"name": name, "namespace": "default", "uid": uid or name, "resourceVersion": str(version)}
    return {"metadata": metadata | ({"labels": labels} if labels else {})}


def listing(*pods: Object, version: int = 1, more: str = "") -> Answer:
    body = {"items": pods, "metadata": {"resourceVersion": str(version), "continue": more}}
    return lambda request: answered(web.json_response(body))


def refusal(status: int) -> Answer:
    return lambda request: answered(web.json_response({"kind": "Status", "code": status}, status=status))


def event(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


BOOKMARK = event("BOOKMARK", {"metadata": {"resourceVersion": "77"}})
ERROR_GONE = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
DONE = event("ADDED", pod("done"))
ERROR_WITHOUT_CODE = event("ERROR", {"kind": "Status", "message": "something"})


def watch(*lines: bytes, ends: bool = False, breaks: bool = False, plain: bool = False) -> Answer:
    """A watch that says this and then is silent until its time is over, ends at once, or breaks off.

    `plain`: the answer ends where the connection is closed, so that nobody sees by HTTP that something is missing."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response, transport = web.StreamResponse(), request.transport
        assert transport is not None
        if plain:
            response.force_close()
            transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"".join(lines))
            transport.close()
            return response
        await response.prepare(request)
        await response.write(b"".join(lines))
        if breaks:
            transport.abort()
        elif not ends:
            await asyncio.sleep(float(request.query.get("timeoutSeconds", WITHIN_S)))
        return response

    return answer


async def answered(response: web.Response) -> web.StreamResponse:
    return response


class Script:
    """An API server's answers, one after the other, and what it was asked; silence when there is no more to say.

    `ready` is what /readyz answers.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.asked: list[dict[str, str]] = []
        self.exhausted = asyncio.Event()
        self.ready = True

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/readyz":
            return web.Response(status=200 if self.ready else 500)
        self.asked.append(dict(request.query))
        if not self.answers:
            self.exhausted.set()
            return await watch()(request)
        return await self.answers.popleft()(request)

    @property
    def kinds(self) -> list[str]:
        """`list`, or the version that a watch began at."""
        return [query["resourceVersion"] if "watch" in query else "list" for query in self.asked]


@asynccontextmanager
async def served(*answers: Answer) -> AsyncIterator[tuple[Cluster, Script]]:
    script = Script(*answers)
    runner = web.AppRunner(_application(script), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    cluster = Cluster(kubernetes_client.ApiClient(kubernetes_client.Configuration(host=f"http://{host}:{port}")))
    try:
        async with asyncio.timeout(WITHIN_S):
            yield cluster, script
    finally:
        await cluster.close()
        await runner.cleanup()


def _application(script: Script) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", script.answer)
    return application
