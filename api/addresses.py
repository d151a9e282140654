"""Decides which addresses a user's URL may point to. Pure: no DNS query, no connection.

Admission calls `problem_of_url` on the URL as written; HTTP clients call `check_resolved` on the resolved addresses,
before each connection and for each hop of a redirect. Exceptions, such as a mirror in the operator's network, are an
explicit list of hosts, empty by default.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
URL_MAX: Final = 4096
"""Characters. Signed links of object stores take up to about 2,000."""
_KAITO_ADDRESS = "must not target a loopback, private, or link-local address"
_KAITO_ENDPOINT = "must not target a local or metadata endpoint"
_INVALID = "invalid data source URL"
_OWN_SERVER = "Use a public address, or have the operator allow this host"

# From IANA's registries of special-purpose addresses, and what clouds answer at. First match names the address.
_REFUSED: Final = tuple(
    (what, (IPv6Network if ":" in text else IPv4Network)(text))
    for what, texts in (
        ("a cloud's metadata or host service", "168.63.129.16/32 169.254.169.254/32 169.254.170.0/24 192.0.0.192/32"),
        ("a cloud's metadata or host service", "100.100.100.200/32 fd00:ec2::/32 fd20:ce::/32"),
        ("the unspecified address", "0.0.0.0/8 ::/128"),
        ("a loopback address", "127.0.0.0/8 ::1/128"),
        ("a link-local address", "169.254.0.0/16 fe80::/10"),
        ("a private address", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
        ("an address of a carrier's own network", "100.64.0.0/10"),
        ("a multicast or broadcast address", "224.0.0.0/4 255.255.255.255/32 ff00::/8"),
        ("a reserved address", "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24"),
        ("a reserved address", "203.0.113.0/24 240.0.0.0/4 100::/64 2001::/23"),
        ("a reserved address", "2001:db8::/32 3fff::/20 5f00::/16 64:ff9b:1::/48"),
    )
    for text in texts.split()
)
_REGISTRY_ADDRESSES: Final = frozenset({"a private address", "an address of a carrier's own network"})
_LOCAL_NAMES: Final = frozenset({"localhost", "metadata", "metadata.google", "instance-data", "kubernetes"})
_LOCAL_DOMAINS: Final = ("localhost", "localdomain", "local", "internal", "svc", "home.arpa")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")


class AddressRefused(ValueError):
    """The host resolves to a forbidden address; the message names the host, the address and the fix."""


def problem_of_url(url: str, allowed_hosts: Collection[str] = ()) -> str | None:
    """Returns what is wrong with this URL as written, or None. Never quotes more of it than the host.

    `allowed_hosts` are host names or addresses, in lower case, that the operator exempts from the check.
    """
    if len(url) > URL_MAX:
        return f"{_INVALID}: it has {len(url)} characters, and {URL_MAX} are allowed"
    if _UNPRINTABLE.search(url):
        return f"{_INVALID}: it contains a space or a control character; write %20 for a space"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"{_INVALID}: its host or port cannot be read"
    return _problem_of_parts(parts, port) or problem_of_host(parts.hostname or "", allowed_hosts)


def problem_of_host(host: str, allowed_hosts: Collection[str] = ()) -> str | None:
    """Returns what is wrong with this host (a name, or an address without brackets), or None."""
    name = host.lower().removesuffix(".")
    if name in allowed_hosts:
        return None
    if ":" in name:
        return _problem_of_ipv6(name)
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return f"{_INVALID}: {host!r} is not an ASCII host name"
    if _NUMBER.fullmatch(labels[-1]):
        return _problem_of_ipv4(name)
    if name in _LOCAL_NAMES or name.endswith(tuple(f".{domain}" for domain in _LOCAL_DOMAINS)):
        return f"{_KAITO_ENDPOINT}: {host!r} is a name inside the cluster or cloud. {_OWN_SERVER}"
    if len(labels) == 1:
        return f"{_KAITO_ENDPOINT}: {host!r} has no domain, so only the cluster knows it. {_OWN_SERVER}"
    return None


def check_resolved(host: str, addresses: Iterable[str], allowed_hosts: Collection[str] = ()) -> None:
    """Raises AddressRefused unless every address that `host` resolved to may be connected to.

    Connect to one of these addresses afterwards: a second DNS query may return others.
    """
    if host.lower().removesuffix(".") in allowed_hosts:
        return
    for text, what in _refused(host, addresses):
        raise AddressRefused(f"{host} {_KAITO_ADDRESS}: it resolves to {text}, which is {what}. {_OWN_SERVER}")


def check_registry(host: str, port: int, addresses: Iterable[str], named: Collection[str] = ()) -> None:
    """The same check for a registry, its token service and its storage. Private networks are allowed; loopback,
    link-local and metadata addresses are not. Raises AddressRefused.

    `named` are hosts, or host:port, that the operator configured as registries and that are exempt from the check.
    """
    name = host.lower().removesuffix(".")
    if name in named or f"{f'[{name}]' if ':' in name else name}:{port}" in named:
        return
    for text, what in _refused(host, addresses):
        if what not in _REGISTRY_ADDRESSES:
            raise AddressRefused(f"{host} resolves to {text}, which is {what}; no request was sent")


def _refused(host: str, addresses: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The refused addresses, each with its kind. Raises AddressRefused if there is no address at all."""
    found = list(addresses)
    if not found:
        raise AddressRefused(f"{host} has no address: check the name")
    for text in found:
        try:
            what = refused_as(ip_address(text.partition("%")[0]))
        except ValueError:
            what = "no address"
        if what:
            yield text, what


def refused_as(address: Address) -> str | None:
    """What kind of address this is when it is refused, such as "a loopback address"; None for a public one.

    An IPv6 address that embeds an IPv4 address (mapped, translated, compatible, 6to4, NAT64, ISATAP) is also checked by
    that address, because a gateway would route there.
    """
    for candidate in (address, *_embedded(address)):
        for what, network in _REFUSED:
            if candidate.version == network.version and candidate in network:
                return what
    return None


def _problem_of_parts(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme.lower() not in ("http", "https"):
        return f"must use HTTP or HTTPS, not {parts.scheme[:20]!r}" if parts.scheme else f"{_INVALID}: it has no scheme"
    if "@" in parts.netloc:
        return f"{_INVALID}: it contains a user name or password; remove the part before '@'"
    if not parts.hostname:
        return f"{_INVALID}: it has no host"
    if port == 0 or parts.netloc.endswith(":"):
        return f"{_INVALID}: its port must be a number from 1 to 65535"
    return None


def _problem_of_ipv4(name: str) -> str | None:
    try:
        address = IPv4Address(name)
    except AddressValueError:
        # Octal, hexadecimal, one number for all four, leading zeros: programs parse these differently.
        return f"{_INVALID}: {name!r} ends in a number but is not four decimal numbers from 0 to 255. {_KAITO_ADDRESS}"
    what = refused_as(address)
    return f"{_KAITO_ADDRESS}: {name} is {what}. {_OWN_SERVER}" if what else None


def _problem_of_ipv6(name: str) -> str | None:
    if "%" in name:
        return f"{_KAITO_ADDRESS}: an address with a zone ({name!r}) is link-local"
    try:
        what = refused_as(IPv6Address(name))
    except AddressValueError:
        return f"{_INVALID}: {name!r} is not an IP address"
    return f"{_KAITO_ADDRESS}: {name} is {what}. {_OWN_SERVER}" if what else None


def _embedded(address: Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    bits = int(address)
    last = IPv4Address(bits & 0xFFFFFFFF)
    found = [part for part in (address.ipv4_mapped, address.sixtofour) if part]
    # ::a.b.c.d, ::ffff:0:a.b.c.d (RFC 2765), 64:ff9b::a.b.c.d and ISATAP's interface id
    # 0000:5efe:a.b.c.d or 0200:5efe:a.b.c.d
    if bits >> 32 in (0, 0xFFFF0000, 0x0064FF9B << 64) or (bits >> 32) & 0xFDFFFFFF == 0x5EFE:
        found.append(last)
    return found
