"""Decides which entries of a docker config are for an image, and their order, from their keys.

By Kubernetes' pkg/credentialprovider/keyring.go (`BasicDockerKeyring.Add` and `Lookup`, `URLsMatch`), which parses keys
with Go's net/url and globs with path/filepath's `Match`: `?` begins a query and matches nothing, and `!` in brackets is
a letter. Differences: the kubelet tries all entries that match where we take the first usable one, so a path ends
between segments here (`host/te` is not for `host/team`); and Docker Hub's accounts may also be under its API's host.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import unquote

from api.oci.image_reference import ImageReference, credential_names

KEY_MAX: Final = 512
"""Characters of a registry's name with its path; a longer one is for no image (a reference's name has 255)."""
_LABEL_MAX: Final = 63
"""Characters of one part of a host's name (RFC 1035, section 2.3.4)."""
_NO_GLOB: Final = re.compile(r"[^\w*!\[\]-]|\[\]", re.ASCII)
"""What net/url refuses in a host, or Match in a pattern."""
_NOT_A_NEGATION: Final = re.compile(r"\[!([^\]]+)\]")


def matching_keys(keys: Iterable[str], image: ImageReference) -> list[str]:
    """The keys that are for the image, the most exact first: longer paths before shorter, names before globs.

    That is the reverse order of their texts, as in keyring.go: `*` sorts before every letter and digit. Of Docker
    Hub's other names the kubelet knows index.docker.io, in full and last.
    """
    split = [(*_split(key), key) for key in keys if len(key) <= KEY_MAX]
    found = list[str]()
    for number, name in enumerate(credential_names(image.host)):
        fitting = [
            (host, path, key)
            for host, path, key in split
            if f"/{image.repository}/".startswith(path) and (host == name or (number == 0 and _globs(host, name)))
        ]
        found += [key for *_, key in sorted(fitting, reverse=True)]
    return found


def _split(key: str) -> tuple[str, str]:
    """Host, and the path with a slash at both ends; without scheme and API version, as docker wrote them once, and
    without what else an address has. A version without a slash after it is one here, for docker's own configs."""
    scheme = next((scheme for scheme in ("https://", "http://") if key.startswith(scheme)), "")
    key = key.removeprefix(scheme).partition("#")[0].partition("?")[0]
    host, _, path = key.partition("/")
    path = unquote(path).removesuffix("/")
    path = f"/{path}/" if path else "/"
    return host.rpartition("@")[2], path[3:] if path.startswith(("/v1/", "/v2/")) else path


def _globs(pattern: str, host: str) -> bool:
    """Each part of a host's name is matched for itself; the port is compared as it is (`URLsMatch`). What begins with a
    bracket is an IPv6 address."""
    if pattern.startswith("["):
        return False
    (names, _, port), (wanted, _, wanted_port) = pattern.partition(":"), host.partition(":")
    parts, wanted_parts = names.split("."), wanted.split(".")
    return (
        port == wanted_port
        and len(parts) == len(wanted_parts)
        and all(_part_globs(part, ours) for part, ours in zip(parts, wanted_parts, strict=True))
    )


def _part_globs(pattern: str, part: str) -> bool:
    # Most have no glob, and need no pattern compiled.
    return pattern == part or (
        len(pattern) <= _LABEL_MAX
        and any(mark in pattern for mark in "*[")
        and not _NO_GLOB.search(pattern)
        and fnmatchcase(part, _NOT_A_NEGATION.sub(r"[\1!]", pattern))
    )
