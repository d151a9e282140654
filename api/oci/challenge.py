"""Parses WWW-Authenticate (RFC 9110, section 11.6.1), and decides which token services may receive credentials."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

HEADER_MAX: Final = 8192
"""Characters; a longer header is not read."""
_PART: Final = re.compile(r'[\s,]*([^\s,="]+)(?:\s*(=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')
"""A scheme, or a parameter with its value; matched from where the last one ended, so each character is read once."""
_ESCAPED: Final = re.compile(r"\\(.)")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")


@dataclass(frozen=True)
class Challenge:
    """A registry's authentication challenge; `realm` of a bearer challenge is the token service's URL."""

    scheme: str
    realm: str = ""
    service: str = ""


def challenge_in(header: str) -> Challenge | None:
    """The challenge that can be answered, bearer before basic; None when there is none."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for name, value in _parts(header) if len(header) <= HEADER_MAX else ():
        if value is None:
            current = {}
            found.setdefault(name, current)
        else:
            current.setdefault(name, value)
    for scheme in ("bearer", "basic"):
        if scheme in found:
            return Challenge(scheme, found[scheme].get("realm", ""), found[scheme].get("service", ""))
    return None


def _parts(header: str) -> Iterator[tuple[str, str | None]]:
    """Names in lower case with their values; a scheme has none. Ends where the header is malformed."""
    at = 0
    while match := _PART.match(header, at):
        name, equals, quoted, plain = match.groups()
        yield name.lower(), (plain if quoted is None else _ESCAPED.sub(r"\1", quoted)) if equals else None
        at = match.end()


def realm_problem(realm: str, plain_http: Collection[str]) -> str | None:
    """Why no credential is sent to this realm; None when it may be. `plain_http` are the hosts (with port) that the
    operator runs without TLS: a registry's own answer cannot exempt an unencrypted connection."""
    try:
        parts = urlsplit(realm)
        known = parts.port != 0 and parts.hostname
    except ValueError:
        known = None
    if not known or "@" in parts.netloc or _UNPRINTABLE.search(realm):
        return "it is not a URL"
    if parts.scheme == "https" or (parts.scheme == "http" and parts.netloc in plain_http):
        return None
    return f"{parts.netloc[:100]} has no TLS, so the credential would be sent unencrypted"
