"""Whether a web page may have sent a request, behind the back of whoever looks at it. Pure.

A page of another site can make a browser send requests here, with the Host of its own choice if it owns a name (DNS
rebinding). It can neither choose a Host that we know, nor send a header of its own or JSON without asking first, which
is not allowed here (Fetch Standard, "CORS-safelisted request-header").
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_HEADERS: Final = ("authorization", "idempotency-key", "x-modelyard-request")
"""Any of them has to be asked for, before a page of another site may send it."""


def host_problem(headers: Headers, hosts: Collection[str]) -> str | None:
    """Returns why the Host is refused; None if it is one of `hosts`."""
    host = _hostname(f"//{headers.get('host', '')}")
    if host in hosts:
        return None
    return f"the Host {host!r} is none of this service's: add it to MODELYARD_ADMIN_HOSTS, or ask by one of its names"


def page_problem(method: str, headers: Headers) -> str | None:
    """Returns why a request is refused that a page of another site may have sent; None if no page can have."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return "the request comes from a page of another site (Origin), which may not ask here"
    if method in SAFE:
        return None
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "the request comes from a page of another site (Sec-Fetch-Site), which may change nothing here"
    json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if not json and not any(name in headers for name in OWN_HEADERS):
        return "a request that changes something needs `Content-Type: application/json`, which no form of a page sends"
    return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
