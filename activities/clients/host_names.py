"""Tells a name that does not exist from trouble with DNS: the first is a mistake that only its author can mend, the
second passes.

A resolver that has no server answers "no such name" to every name. So the answer counts only if the name of another
host, which is known to exist, resolves at the same time. Whether a missing name stops a Workspace is for those to say
who ask.
"""

import asyncio
import ipaddress
import socket
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from api.environment_proxy import proxy_for

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host for a port; raises OSError if it has none."""
ANSWER_S: Final = 5.0
"""For each name; a resolver that is slower is in trouble."""
NEVER: Final = (".invalid",)
"""Names below these exist nowhere (RFC 6761, section 6.4)."""
ALWAYS: Final = ("kubernetes.default.svc",)
"""Names that the DNS of every cluster has; outside of a cluster the other witnesses speak."""
_NO_SUCH_NAME: Final = (socket.EAI_NONAME, socket.EAI_NODATA)
"""The others, EAI_AGAIN and EAI_FAIL among them, say that no server has answered."""


async def system_resolve(host: str, port: int) -> list[str]:
    """Resolves with the machine's own resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class HostNames:
    """Asks one resolver. `witnesses` are names or URLs of hosts that exist, beside ALWAYS."""

    def __init__(
        self, witnesses: Sequence[str] = (), resolve: Resolve = system_resolve, *, answer_s: float = ANSWER_S
    ) -> None:
        named = dict.fromkeys(host_in(one) for one in (*ALWAYS, *witnesses))
        self._witnesses = tuple(name for name in named if name and not _is_known_without_dns(name))
        self._resolve, self._answer_s = resolve, answer_s

    async def missing(self, *hosts: str) -> list[str]:
        """Returns those of the hosts whose names do not exist. In doubt none: an address, a name that a proxy looks up,
        or a resolver that finds no witness either."""
        names = dict.fromkeys(host for host in hosts if host and not _is_address(host) and not _is_proxied(host))
        answers = await asyncio.gather(*map(self._is_unknown, names))
        unknown = [name for name, is_unknown in zip(names, answers, strict=True) if is_unknown]
        others = [name for name in unknown if not name.rstrip(".").lower().endswith(NEVER)]
        if not others or await self._works(others):
            return unknown
        return [name for name in unknown if name not in others]

    async def _works(self, doubted: Sequence[str]) -> bool:
        witnesses = [name for name in self._witnesses if name not in doubted]
        found = await asyncio.gather(*map(self._is_known, witnesses))
        return any(found)

    async def _is_unknown(self, host: str) -> bool:
        return await self._answer(host) is False

    async def _is_known(self, host: str) -> bool:
        return await self._answer(host) is True

    async def _answer(self, host: str) -> bool | None:
        """Whether the name exists; None if no server has answered."""
        try:
            async with asyncio.timeout(self._answer_s):
                return bool(await self._resolve(host, 443))
        except socket.gaierror as error:
            return False if error.errno in _NO_SUCH_NAME else None
        except UnicodeError:  # no name by IDNA's rules
            return False
        except (OSError, TimeoutError):
            return None


def host_in(address: str) -> str:
    """The host of a URL, or of `host` and `host:port`; empty if there is none."""
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def no_such_host(host: str) -> str:
    """The sentence about a missing name."""
    return f"no DNS server knows the name {host}. Correct the name, or have it added to DNS"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_known_without_dns(host: str) -> bool:
    """Whether it resolves where no DNS server answers: addresses do, and this machine's own name."""
    return _is_address(host) or host == "localhost"


def _is_proxied(host: str) -> bool:
    return proxy_for("https", host, None, urllib.request.getproxies()) is not None
