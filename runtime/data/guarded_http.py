"""Opens a link that a user gave, and lets it lead nowhere inside: not by its name, not by DNS, not by a redirect.

Every hop is judged as it is written, then as it resolves, and the connection goes to the very address that was judged
(pod/guarded_network.py). Proxies of the environment are not used: a proxy would resolve the name again, elsewhere.
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
"""Bytes of an answer that is no data: none of it is read."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {"User-Agent": "modelyard", "Accept-Encoding": "identity"}


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
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, accepted: Collection[int] = (200,)
    ) -> Iterator[httpx.Response]:
        """The answer with one of these statuses (200 or 206), its body for iter_raw() alone. Raises AddressRefused or
        LinkBroken; the body raises httpx.HTTPError."""
        transport = GuardedTransport(Guard(self._judge, self.timeout_s, ANSWER_MAX, self.resolve), self.tls)
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
        text = f"{urlsplit(url).hostname} was reached by more than {HOPS_MAX} redirects: give the last link"
        raise LinkBroken(text, status=response.status_code)

    def _judge(self, host: str, _port: int, addresses: list[str]) -> None:
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
            raise LinkBroken(f"{target.hostname} is no host name: {error}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise LinkBroken(f"{target.hostname} cannot be connected to: {error}") from error
        except httpx.HTTPError as error:
            text = f"{target.hostname} broke off: {error or type(error).__name__}"
            raise LinkBroken(text, stalled=isinstance(error, httpx.TimeoutException)) from error


def _path(target: SplitResult) -> bytes:
    """Path and query. What is not ASCII is percent-encoded; all else stays as it is written, signatures rely on it."""
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    return "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode(errors="replace")) for char in path
    ).encode()


def _next(url: str, response: httpx.Response) -> str:
    """Where a redirect leads. Raises LinkBroken for every other status, and for a way back from https to http."""
    target, location = urlsplit(url), response.headers.get("Location", "")
    if response.status_code not in _REDIRECTS or not location:
        text = f"{target.hostname} answered {response.status_code} {response.reason_phrase}: check the link"
        raise LinkBroken(text, status=response.status_code)
    following = urljoin(url, str(location))
    if target.scheme.lower() == "https" and urlsplit(following).scheme.lower() == "http":
        text = f"{target.hostname} leads from https to http: give a link that stays with https"
        raise LinkBroken(text, status=response.status_code)
    return following
