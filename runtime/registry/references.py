"""Reads an image reference: which registry, which repository, which tag or digest. Nothing is looked up.

Whether a user may write it at all is admission's; names without a host are Docker Hub's, as everywhere.
"""

import re
from dataclasses import dataclass
from typing import Final

_HUB: Final = "registry-1.docker.io"
_HUB_NAMES: Final = ("docker.io", "index.docker.io", _HUB)
_PATH = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class ImageReference:
    """`host` is where the registry answers; `tag` is empty where only a digest was given."""

    host: str
    repository: str
    tag: str
    digest: str = ""

    @property
    def which(self) -> str:
        """What stands in the path of a manifest; a digest wins over a tag."""
        return self.digest or self.tag

    def pinned(self, digest: str) -> str:
        """The same image by a digest."""
        return f"{self.host}/{self.repository}@{digest}"

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parsed(text: str) -> ImageReference:
    """The reference, with `latest` and Docker Hub filled in. Raises ValueError when it is none."""
    rest, at, digest = text.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, tag = rest, ""
    host, repository = _split(name)
    checks = ((_HOST, host), (_PATH, repository), (_TAG, tag or "latest"), (_DIGEST, digest or f"sha256:{'0' * 64}"))
    if (at and not digest) or rest.endswith(":") or any(not pattern.fullmatch(part) for pattern, part in checks):
        raise ValueError(f"{text!r} is no image reference: write host/name:tag")
    return ImageReference(host, repository, tag or ("" if digest else "latest"), digest)


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (any(mark in first for mark in ".:") or first == "localhost"):
        first, rest = _HUB, name
    if first not in _HUB_NAMES:
        return first, rest
    return _HUB, rest if "/" in rest else f"library/{rest}"


def credential_names(host: str) -> tuple[str, ...]:
    """Under which names a docker config may hold a registry's credential."""
    return _HUB_NAMES if host == _HUB else (host,)
