"""Records every completed request and logs one line for it, without the query, which may hold a signature.

Wraps the whole application, so that a connection cut on purpose is recorded with what was really sent.
"""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.local.mirror.mirror import Answered, Mirror
from deploy.local.mirror.routes import NoSuchAddress, parse

log = logging.getLogger("modelyard.mirror")
UNRECORDED = ("/_control", "/healthz")


class Recording:
    """ASGI middleware that adds to `mirror.requests`."""

    def __init__(self, app: ASGIApp, mirror: Mirror) -> None:
        self.app, self.mirror = app, mirror

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNRECORDED):
            await self.app(scope, receive, send)
            return
        began_s, status, sent_bytes = time.time(), 0, 0

        async def count(message: Message) -> None:
            nonlocal status, sent_bytes
            status = message.get("status", status)
            sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            done = Answered(
                method=scope["method"],
                subject=subject_of(scope["raw_path"].decode("ascii", errors="replace")),
                status=status,
                began_s=began_s,
                took_s=time.time() - began_s,
                sent_bytes=sent_bytes,
            )
            self.mirror.requests.append(done)
            log.info("%s %s %d %d bytes %.3f s", done.method, done.subject, done.status, done.sent_bytes, done.took_s)


def subject_of(raw_path: str) -> str:
    """Returns the name of a request's subject in faults and records; the path itself for an unknown address."""
    try:
        return parse(raw_path).subject
    except NoSuchAddress:
        return raw_path
