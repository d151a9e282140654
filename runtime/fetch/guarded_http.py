"""Opens a link that a user gave, and lets it lead nowhere inside: not by its name, not by DNS, not by a redirect.

Every hop is judged as it is written, then as it resolves, and the connection goes to the very address that was judged.
Proxies of the environment are not used: a proxy would resolve the name again, elsewhere. Standard library only.
"""

import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Timer
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from api.addresses import AddressRefused, check_resolved, problem_of_url

HOPS_MAX: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {"User-Agent": "modelyard", "Accept-Encoding": "identity"}
_PORTS: Final = {"http": 80, "https": 443}
Resolve = Callable[[str, int], list[str]]
"""The addresses of a host; raises OSError when it has none."""


class LinkBroken(Exception):
    """The link was allowed and gave nothing; the text names host and cause. `status` is the server's, if any."""

    def __init__(self, text: str, *, status: int | None = None, stalled: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.stalled = stalled


@dataclass(frozen=True)
class GuardedHttp:
    """`timeout_s` is for connecting, for the answer's head and for each wait for bytes.

    `allowed_hosts` are the operator's exceptions.
    """

    resolve: Resolve
    allowed_hosts: Collection[str] = ()
    timeout_s: float = 30.0

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, accepted: Collection[int] = (200,)
    ) -> Iterator[HTTPResponse]:
        """The answer with one of these statuses, its body unread. Raises AddressRefused or LinkBroken."""
        for _ in range(HOPS_MAX + 1):
            connection, target = self._connected(url)
            try:
                # Closed by itself: a connection that the server will close forgets its response.
                with closing(self._asked(connection, target, headers or {})) as response:
                    if response.status in accepted:
                        yield response
                        return
                    url = _next(url, target, response)
            finally:
                connection.close()
        text = f"{urlsplit(url).hostname} was reached by more than {HOPS_MAX} redirects: give the last link"
        raise LinkBroken(text, status=response.status)

    def _connected(self, url: str) -> tuple[HTTPConnection, SplitResult]:
        problem = problem_of_url(url, self.allowed_hosts)
        if problem:
            raise AddressRefused(problem)
        target = urlsplit(url)
        host, scheme = target.hostname or "", target.scheme.lower()
        port = target.port or _PORTS[scheme]
        try:
            addresses = self.resolve(host, port)
        except OSError as error:
            raise LinkBroken(f"{host} has no address: {error.strerror or error}") from error
        check_resolved(host, addresses, self.allowed_hosts)
        try:
            return self._dialled(scheme, host, port, addresses), target
        except OSError as error:
            raise LinkBroken(f"{host} cannot be connected to: {error.strerror or error}") from error

    def _dialled(self, scheme: str, host: str, port: int, addresses: list[str]) -> HTTPConnection:
        sock = self._socket(port, addresses)
        if scheme == "http":
            plain = HTTPConnection(host, port, timeout=self.timeout_s)
            plain.sock = sock
            return plain
        context = ssl.create_default_context()
        try:
            secured = context.wrap_socket(sock, server_hostname=host)
        except OSError:
            sock.close()
            raise
        secure = HTTPSConnection(host, port, timeout=self.timeout_s, context=context)
        secure.sock = secured
        return secure

    def _asked(self, connection: HTTPConnection, target: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
        # The timeout holds for each wait; a server that sends a header's letters one by one is ended from outside.
        watch = Timer(self.timeout_s, _shut, (connection,))
        watch.daemon = True
        watch.start()
        began = time.monotonic()
        try:
            response = _asked(connection, target, headers)
        except LinkBroken as error:
            stalled = error.stalled or time.monotonic() - began >= self.timeout_s
            raise LinkBroken(str(error), stalled=stalled) from error
        finally:
            watch.cancel()
        if time.monotonic() - began >= self.timeout_s:
            response.close()
            raise LinkBroken(f"{target.hostname} gave no whole answer in {self.timeout_s:g} s", stalled=True)
        return response

    def _socket(self, port: int, addresses: list[str]) -> socket.socket:
        """Connected to the first address that answers. Raises OSError of the last one."""
        for address in addresses[:-1]:
            try:
                return socket.create_connection((address, port), self.timeout_s)
            except OSError:
                continue
        return socket.create_connection((addresses[-1], port), self.timeout_s)


def system_resolve(host: str, port: int) -> list[str]:
    """What the pod's own resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _shut(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):  # ended by the other side in the same moment
            connection.sock.shutdown(socket.SHUT_RDWR)


def _asked(connection: HTTPConnection, target: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    try:
        # Bytes outside ASCII are sent percent-encoded; what is encoded already stays as it is, signatures rely on it.
        connection.request("GET", _ascii(path), headers={**_HEADERS, **headers})
        return connection.getresponse()
    except (OSError, HTTPException) as error:
        text = f"{target.hostname} broke off: {error or type(error).__name__}"
        raise LinkBroken(text, stalled=isinstance(error, TimeoutError)) from error


def _ascii(path: str) -> str:
    return "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode(errors="replace")) for char in path
    )


def _next(url: str, target: SplitResult, response: HTTPResponse) -> str:
    """Where a redirect leads. Raises LinkBroken for every other status, and for a way back from https to http."""
    location = response.getheader("Location")
    if response.status not in _REDIRECTS or not location:
        text = f"{target.hostname} answered {response.status} {response.reason}: check the link"
        raise LinkBroken(text, status=response.status)
    following = urljoin(url, location)
    if target.scheme.lower() == "https" and urlsplit(following).scheme.lower() == "http":
        text = f"{target.hostname} leads from https to http: give a link that stays with https"
        raise LinkBroken(text, status=response.status)
    return following
