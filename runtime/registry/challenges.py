"""Reads WWW-Authenticate: how a registry wants to be asked. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_SCHEME: Final = re.compile(r"(?:^|,)\s*(Basic|Bearer)\s+(?=[A-Za-z]+\s*=)", re.I)
_PARAMETER: Final = re.compile(r'([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True)
class Challenge:
    """`realm` of a bearer challenge is the URL that gives tokens."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def challenge_in(header: str) -> Challenge | None:
    """The challenge that can be answered, bearer before basic; None when there is none."""
    parts = list(_SCHEME.finditer(header))
    ends = [part.start() for part in parts[1:]] + [len(header)] * bool(parts)
    found = {part[1].lower(): header[part.end() : end] for part, end in zip(parts, ends, strict=True)}
    for scheme in ("bearer", "basic"):
        if scheme in found:
            values = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(found[scheme])}
            return Challenge(scheme, values.get("realm", ""), values.get("service", ""), values.get("scope", ""))
    return None


def realm_problem(realm: str, plain_http: bool) -> str | None:
    """Why no credential is sent to this realm; None when it may be. `plain_http`: the registry itself has no TLS."""
    parts = urlsplit(realm)
    if parts.scheme == "https" or (parts.scheme == "http" and plain_http):
        return None if parts.hostname and "@" not in parts.netloc else "it is no URL"
    return "it is not https, and a password would be readable on the way"
