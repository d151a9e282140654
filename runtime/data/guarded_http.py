"""Opens a link given by a user and blocks internal addresses, whether by name, by DNS or by redirect.

Checks the URL of every hop and then its resolved addresses, and connects to exactly the checked address
(pod/guarded_network.py). Ignores the environment's proxies: a proxy would resolve the name again by itself.
"""

import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from api.addresses import AddressRefused, check_resolved, problem_of_url
from runtime.pod.guarded_network import STREAMED, Guard, GuardedTransport, Resolve

HOPS_MAX: Final = 5
ANSWER_MAX: Final = 0
"""Bytes read from a response that is not data: none."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {"User-Agent": "modelyard", "Accept-Encoding": "identity"}


class LinkBroken(Exception):
    """The link is allowed but the request failed; the text names host and cause. `status` is the server's, if any."""

    def __init__(self, text: str, *, status: int | None = None, stalled: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.stalled = stalled


@dataclass(frozen=True)
class GuardedHttp:
    """`timeout_s` applies to connecting, to the response's headers and to each read.

    `allowed_hosts` are the operator's exceptions.
    """

    resolve: Resolve
    allowed_hosts: Collection[str] = ()
    timeout_s: float = 30.0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, accepted: Collection[int] = (200,)
    ) -> Iterator[httpx.Response]:
        """Yields the response with one of these statuses (200 or 206); read its body by iter_raw() only. Raises
        AddressRefused or LinkBroken; the body raises httpx.HTTPError."""
        transport = GuardedTransport(Guard(self._check_addresses, self.timeout_s, ANSWER_MAX, self.resolve), self.tls)
        with httpx.Client(transport=transport, timeout=self.timeout_s, headers=_HEADERS, trust_env=False) as client:
            for _ in range(HOPS_MAX + 1):
                response = self._asked(client, url, headers or {})
                try:
                    if response.status_code in accepted:
                        yield response
                        return
                    url = _next(url, response)
                finally:
                    response.close()
        text = f"{urlsplit(url).hostname} redirects more than {HOPS_MAX} times: give the last link"
        raise LinkBroken(text, status=response.status_code)

    def _check_addresses(self, host: str, _port: int, addresses: list[str]) -> None:
        check_resolved(host, addresses, self.allowed_hosts)

    def _asked(self, client: httpx.Client, url: str, headers: Mapping[str, str]) -> httpx.Response:
        problem = problem_of_url(url, self.allowed_hosts)
        if problem:
            raise AddressRefused(problem)
        target = urlsplit(url)
        try:
            place = httpx.URL(scheme=target.scheme.lower(), host=target.hostname or "", port=target.port)
            asked = STREAMED | {"target": _path(target)}
            return client.send(client.build_request("GET", place, headers=headers, extensions=asked), stream=True)
        except UnicodeError as error:
            raise LinkBroken(f"{target.hostname} is not a valid host name: {error}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise LinkBroken(f"{target.hostname} cannot be connected to: {error}") from error
        except httpx.HTTPError as error:
            text = f"the connection to {target.hostname} broke: {error or type(error).__name__}"
            raise LinkBroken(text, stalled=isinstance(error, httpx.TimeoutException)) from error


def _path(target: SplitResult) -> bytes:
    """Returns path and query. Percent-encodes only what is not ASCII, because signatures cover the rest as written."""
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    return "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode(errors="replace")) for char in path
    ).encode()


def _next(url: str, response: httpx.Response) -> str:
    """Returns the target of a redirect. Raises LinkBroken for every other status and for a downgrade to http."""
    target, location = urlsplit(url), response.headers.get("Location", "")
    if response.status_code not in _REDIRECTS or not location:
        text = f"{target.hostname} answered {response.status_code} {response.reason_phrase}: check the link"
        raise LinkBroken(text, status=response.status_code)
    try:
        following = urljoin(url, str(location))
        scheme = urlsplit(following).scheme.lower()
    except ValueError:
        text = f"{target.hostname} redirects to something that is not a URL: check the link"
        raise LinkBroken(text, status=response.status_code) from None
    if target.scheme.lower() == "https" and scheme == "http":
        text = f"{target.hostname} redirects from https to http: give a link that stays with https"
        raise LinkBroken(text, status=response.status_code)
    return following
