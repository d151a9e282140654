"""Parses an image reference by the grammar of the container tools: `[host[:port]/]path[:tag][@digest]`.

No I/O. The reference is later passed to programs as one argument; the grammar admits nothing that could be two.
The grammar is that of github.com/distribution/reference (reference.go, regexp.go, normalize.go).
"""

import hashlib
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

NAME_MAX: Final = 255
REFERENCE_MAX: Final = 1024
DOCKER_HUB: Final = "registry-1.docker.io"
"""Docker Hub's registry host."""
_HUB_NAMES: Final = ("docker.io", "index.docker.io")
_SEGMENT: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_HOST = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_FOUR_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ImageReference:
    """The parts as the registry API uses them: `host` is the API's host, Docker Hub's if none was written.

    `tag` is empty where only a digest was given, and `latest` where neither was.
    """

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Raises ValueError that says why the text is not an image reference."""
        if problem := reference_problem(text):
            raise ValueError(problem)
        rest, _, digest = text.partition("@")
        name, tag = _split_tag(rest)
        host, repository = _split_host(name)
        if not host or host in _HUB_NAMES:
            host, repository = DOCKER_HUB, repository if "/" in repository else f"library/{repository}"
        return cls(host, repository, tag or ("" if digest else "latest"), digest)

    @property
    def version(self) -> str:
        """The last segment of a manifest's path; a digest takes precedence over a tag."""
        return self.digest or self.tag

    def pinned(self, digest: str) -> str:
        """The same image by a digest."""
        return f"{self.host}/{self.repository}@{digest}"

    def __str__(self) -> str:
        return self.pinned(self.digest) if self.digest else f"{self.host}/{self.repository}:{self.tag}"


def credential_names(host: str) -> tuple[str, ...]:
    """The names under which a docker config may hold an account of the registry at `host`, the usual one first."""
    return (*_HUB_NAMES, DOCKER_HUB) if host == DOCKER_HUB else (host,)


def reference_problem(text: str) -> str | None:
    """Why this is not an image reference; None when it is one."""
    if len(text) > REFERENCE_MAX:
        return f"it has {len(text)} characters"
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return "the part after '@' must be a digest such as sha256: and 64 hexadecimal digits"
    name, tag = _split_tag(rest)
    if tag is not None and not _TAG.fullmatch(tag):
        return "the tag must be 1 to 128 letters, digits, '_', '.' and '-'"
    if _IDENTIFIER.fullmatch(text):
        return "64 hexadecimal digits are an image ID, not a name"
    return _name_problem(name)


def digest_matches(digest: str, content: bytes) -> bool:
    """Whether this content has this digest, of any algorithm that a reference may have; False for text of no digest."""
    if not _DIGEST.fullmatch(digest):
        return False
    algorithm, _, wanted = digest.partition(":")
    return hashlib.new(algorithm, content).hexdigest() == wanted


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon before the last slash belongs to a port."""
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def _name_problem(name: str) -> str | None:
    host, path = _split_host(name)
    if host and not (_HOST.fullmatch(host) and _is_address_or_name(host)):
        return f"{host[:60]!r} is not a registry host"
    if len(name) > NAME_MAX:
        return f"the name may have {NAME_MAX} characters"
    if not _PATH.fullmatch(path):
        upper = " It holds upper-case letters." if path != path.lower() else ""
        return f"the name must be lower-case letters and digits, separated by '/', '.', '_' or '-'.{upper}"
    return None


def _is_address_or_name(host: str) -> bool:
    """Whether programs can connect to it: a port from 1 to 65535, and an address that is one if it looks like one.

    The tools' grammar leaves that to the connection.
    """
    name, port = host, "443"
    if not host.endswith("]") and ":" in host:
        name, _, port = host.rpartition(":")
    try:
        if name.startswith("["):
            IPv6Address(name[1:-1])
        elif _FOUR_NUMBERS.fullmatch(name):
            IPv4Address(name)
    except AddressValueError:
        return False
    return 0 < int(port) <= 65535


def _split_host(name: str) -> tuple[str, str]:
    """The first segment is a host when it looks like one, as docker decides it."""
    first, slash, path = name.partition("/")
    is_host = slash and (any(mark in first for mark in ".:[") or first == "localhost" or first != first.lower())
    return (first, path) if is_host else ("", name)
