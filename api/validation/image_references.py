"""Whether a string is an image reference, by the grammar of the container tools: `[host[:port]/]path[:tag][@digest]`.

Nothing is looked up. The reference is later handed to programs as one argument; the grammar leaves no room for more.
"""

import re
from dataclasses import dataclass
from typing import Final

NAME_MAX: Final = 255
REFERENCE_MAX: Final = 1024
DOCKER_HUB: Final = "registry-1.docker.io"
DOCKERS_NAMES: Final = frozenset({"docker.io", "index.docker.io"})
_SEGMENT: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_HOST = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ImageName:
    """The parts of a reference as its registry is asked for them. `version` is a digest where one is given, or a tag.

    What stands for Docker's hub, a reference without a host, is spelled out.
    """

    host: str
    path: str
    version: str

    @classmethod
    def of(cls, reference: str) -> "ImageName":
        """Raises ValueError that says why this is no image reference."""
        if problem := reference_problem(reference):
            raise ValueError(problem)
        rest, _, digest = reference.partition("@")
        name, tag = _split_tag(rest)
        host, path = _split_host(name)
        host = "" if host in DOCKERS_NAMES else host
        library = not host and "/" not in path
        return cls(host or DOCKER_HUB, f"library/{path}" if library else path, digest or tag or "latest")


def reference_problem(reference: str) -> str | None:
    """Why this is no image reference; None when it is one."""
    if len(reference) > REFERENCE_MAX:
        return f"it has {len(reference)} characters"
    rest, at, digest = reference.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return "what stands after '@' is no digest such as sha256: and 64 hexadecimal digits"
    name, tag = _split_tag(rest)
    if tag is not None and not _TAG.fullmatch(tag):
        return "the tag must be 1 to 128 letters, digits, '_', '.' and '-'"
    if _IDENTIFIER.fullmatch(name):
        return "64 hexadecimal digits are an image's id and no name"
    return _name_problem(name)


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon before the last slash belongs to a port."""
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def _name_problem(name: str) -> str | None:
    host, path = _split_host(name)
    if host and not _HOST.fullmatch(host):
        return f"{host[:60]!r} is no host of a registry"
    if len(name) > NAME_MAX:
        return f"the name may have {NAME_MAX} characters"
    if not _PATH.fullmatch(path):
        upper = " It holds upper-case letters." if path != path.lower() else ""
        return f"the name must be lower-case letters and digits, parted by '/', '.', '_' or '-'.{upper}"
    return None


def _split_host(name: str) -> tuple[str, str]:
    """The first segment is a host when it looks like one, as docker decides it."""
    first, slash, path = name.partition("/")
    is_host = slash and (any(mark in first for mark in ".:[") or first == "localhost" or first != first.lower())
    return (first, path) if is_host else ("", name)
