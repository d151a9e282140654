"""Connects httpx to checked addresses only, for asyncio: the counterpart of runtime/pod/guarded_network.py in pods.

Resolves a name once and connects to the addresses that were checked. Response bodies are bounded in bytes and never
decompressed. The caller limits the time, by asyncio.timeout(), and supplies the address policy as an `AddressCheck`.
"""

import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

import httpcore2 as httpcore
import httpx2 as httpx

from activities.clients.host_names import Resolve, system_resolve
from api.environment_proxy import proxy_for

AddressCheck = Callable[[str, int, list[str]], None]
"""Raises if connections to one of the host's addresses are not allowed."""


@dataclass(frozen=True)
class Guard:
    """`answer_max` limits a response's body, in bytes."""

    check: AddressCheck
    answer_max: int
    resolve: Resolve = system_resolve

    async def addresses(self, host: str, port: int) -> list[str]:
        """Returns the addresses that may be connected to. Raises OSError, UnicodeError, and what the check raises."""
        found = await self.resolve(host, port)
        self.check(host, port, found)
        return found


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a guarded pool. `proxies`: connect through the environment's proxies if it names any;
    the target's addresses are checked all the same."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext, *, proxies: bool) -> None:
        super().__init__(verify=tls)
        # Not among httpx's arguments. If httpx renames it, this raises; it never continues without the guard.
        del self._pool
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=_Backend(guard))
        self._guard, self._tls, self._proxies = guard, tls, proxies
        self._proxied: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, proxies = request.url, urllib.request.getproxies() if self._proxies else {}
        proxy = proxy_for(url.scheme, url.raw_host.decode("ascii"), url.port, proxies)
        response = await (self._send_through(proxy, request) if proxy else super().handle_async_request(request))
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.RemoteProtocolError("the response is compressed although no compression was requested")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Bounded(response.stream, self._guard.answer_max)
        return response

    async def aclose(self) -> None:
        await super().aclose()
        for transport in self._proxied.values():
            await transport.aclose()

    async def _send_through(self, proxy: str, request: httpx.Request) -> httpx.Response:
        await self._guard.addresses(
            request.url.raw_host.decode("ascii"), request.url.port or (443 if request.url.scheme == "https" else 80)
        )
        if proxy not in self._proxied:
            try:
                self._proxied[proxy] = httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy)
            except (ValueError, ImportError, httpx.InvalidURL):
                # The message of these would quote the proxy, and with it a password.
                raise httpx.ProxyError("the environment's proxy is not the URL of an HTTP proxy") from None
        return await self._proxied[proxy].handle_async_request(request)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._system = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        lost: Exception = httpcore.ConnectError("it has no address")
        addresses = await self._guard.addresses(host, port)
        # An address that drops every packet must leave time for the others.
        each_s = None if timeout is None else timeout / max(1, len(addresses))
        for address in addresses:
            try:
                return await self._system.connect_tcp(address, port, each_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                lost = error
        raise lost


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, answer_max: int) -> None:
        self._inner, self._left = inner, answer_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            self._left -= len(part)
            if self._left < 0:
                raise httpx.RemoteProtocolError("the response is larger than any that was requested")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
