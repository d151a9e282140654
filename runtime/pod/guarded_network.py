"""Connects httpx to checked addresses only: resolves a name once and connects to exactly the addresses checked.

Through a proxy, which resolves names by itself, only hosts that are addresses can be checked, and they are.
Limits responses in time, counted from the sent request, and in bytes, and never decompresses them. Which addresses are
allowed is the caller's `AddressCheck`, mostly from api/addresses.py. `activities/clients/guarded_network.py` is the
same for asyncio.
"""

import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import httpcore
import httpx

from api.environment_proxy import proxy_for
from runtime.pod.bounded_answers import AnswerRefused, BoundedBody, LimitedStream

Resolve = Callable[[str, int], list[str]]
"""Returns the addresses of a host for a port; raises OSError if it has none."""
AddressCheck = Callable[[str, int, list[str]], None]
"""Raises if one of a host's addresses is not allowed."""
STREAMED: Final[dict[str, Any]] = {"streamed": True}
"""Request extensions: a successful response (200, 206) is read by iter_raw(), without a limit on size and time."""

_PORTS: Final = {"http": 80, "https": 443}


def system_resolve(host: str, port: int) -> list[str]:
    """Resolves by the pod's own resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class Guard:
    """`answer_s`: seconds from a request's last byte to its response's last; `answer_max`: bytes of the body."""

    check: AddressCheck
    answer_s: float
    answer_max: int
    resolve: Resolve = system_resolve


class GuardedTransport(httpx.HTTPTransport):
    """httpx's own transport over a guarded pool. `proxies`: use the environment's proxies, if any."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext, *, proxies: bool = False) -> None:
        super().__init__(verify=tls)
        # Private to httpx. If httpx renames it, this raises; requests never go out without the guard.
        self._pool.close()
        self._pool = httpcore.ConnectionPool(ssl_context=tls, network_backend=_Backend(guard), keepalive_expiry=5.0)
        self._guard, self._tls, self._proxies = guard, tls, proxies
        self._proxied: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, proxies = request.url, urllib.request.getproxies() if self._proxies else {}
        host = url.raw_host.decode("ascii")
        proxy = proxy_for(url.scheme, host, url.port, proxies)
        if proxy and (addresses := _addresses_without_dns(host)):
            self._guard.check(host, url.port or _PORTS[url.scheme], addresses)
        response = self._by(proxy).handle_request(request) if proxy else super().handle_request(request)
        if "streamed" in request.extensions and response.status_code in (200, 206):
            stream = response.extensions.get("network_stream")
            if isinstance(stream, LimitedStream):
                stream.answer_without_end()
            return response
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise AnswerRefused("the response is compressed although no compression was requested")
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = BoundedBody(response.stream, self._guard.answer_max)
        return response

    def close(self) -> None:
        super().close()
        for transport in self._proxied.values():
            transport.close()

    def _by(self, proxy: str) -> httpx.HTTPTransport:
        if proxy not in self._proxied:
            try:
                self._proxied[proxy] = _ProxiedTransport(self._guard, self._tls, httpx.Proxy(proxy))
            except (ValueError, ImportError, httpx.InvalidURL):
                # The message of these would quote the proxy, and with it a password.
                raise httpx.ProxyError("the environment's proxy is not the URL of an HTTP proxy") from None
        return self._proxied[proxy]


def _addresses_without_dns(host: str) -> list[str]:
    """Returns the address that `host` is, in any spelling that resolvers take; empty for a name."""
    if host == "localhost" or host.endswith(".localhost"):
        return ["127.0.0.1"]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


class _ProxiedTransport(httpx.HTTPTransport):
    """httpx's own transport through an HTTP proxy, which the operator sets and which may have any address; its
    responses are limited in time as all others are."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext, proxy: httpx.Proxy) -> None:
        if proxy.url.scheme not in _PORTS:
            raise ValueError("not an HTTP proxy")
        super().__init__(verify=tls, proxy=proxy)
        anywhere = replace(guard, check=lambda host, port, addresses: None, resolve=system_resolve)
        # Private to httpx, as in GuardedTransport.
        self._pool.close()
        self._pool = httpcore.HTTPProxy(
            proxy_url=str(proxy.url),
            proxy_auth=proxy.raw_auth,
            proxy_headers=proxy.headers.raw,
            ssl_context=tls,
            network_backend=_Backend(anywhere),
            keepalive_expiry=5.0,
        )


class _Backend(httpcore.NetworkBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._guard.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"it has no address: {getattr(error, 'strerror', None) or error}") from error
        self._guard.check(host, port, addresses)
        lost: Exception = httpcore.ConnectError("it has no address")
        # An address that drops packets must leave time for the others.
        each_s = None if timeout is None else timeout / max(1, len(addresses))
        for address in addresses:
            try:
                stream = self._system.connect_tcp(address, port, each_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                lost = error
            else:
                return LimitedStream(stream, self._guard.answer_s)
        raise lost
