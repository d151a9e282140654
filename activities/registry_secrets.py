"""Which account a Secret has for a registry: Kubernetes' docker config, in both of its forms. Pure.

Only what stands in the Secret is read; credentials that a node or a service account has beside it are not known here.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from activities.kubernetes_api import Object
from api.validation.image_references import DOCKER_HUB, DOCKERS_NAMES, ImageName

KEYS: Final = (".dockerconfigjson", ".dockercfg")
"""The keys of the types kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg."""


@dataclass(frozen=True)
class Account:
    """A name and password for one registry; never shown."""

    user: str
    password: str = field(repr=False)


class SecretUnreadable(ValueError):
    """The Secret is no docker config; the text says what it lacks, and nothing of what it holds."""


def account_for(image: ImageName, secret: Object) -> Account | None:
    """The Secret's account for the image's registry, None where it has none. Raises SecretUnreadable."""
    for pattern, entry in _entries(secret):
        if _is_for(pattern, image):
            return _account(entry)
    return None


def _entries(secret: Object) -> Iterator[tuple[str, Any]]:
    data = secret.get("data") or {}
    key = next((key for key in KEYS if data.get(key)), None)
    if key is None:
        raise SecretUnreadable(f"has neither {' nor '.join(KEYS)}")
    try:
        document = json.loads(base64.b64decode(data[key]))
    except (ValueError, RecursionError):
        raise SecretUnreadable(f"{key} is no JSON in base64") from None
    entries = document.get("auths") if key == KEYS[0] and isinstance(document, Mapping) else document
    if not isinstance(entries, Mapping):
        raise SecretUnreadable(f"{key} has no registries")
    # The longest pattern is the most exact one.
    yield from sorted(entries.items(), key=lambda entry: -len(str(entry[0])))


def _is_for(pattern: str, image: ImageName) -> bool:
    """Patterns are hosts, with a path or a scheme before them or not; a host's parts may be globs."""
    host, _, path = pattern.partition("://")[2 if "://" in pattern else 0].partition("/")
    path = path.rstrip("/")
    if image.host == DOCKER_HUB:
        return host in {DOCKER_HUB, *DOCKERS_NAMES}
    same_depth = host.count(".") == image.host.count(".")
    below = path in ("", "v1", "v2") or f"{image.path}/".startswith(f"{path}/")
    return same_depth and fnmatchcase(image.host, host) and below


def _account(entry: Any) -> Account:
    if not isinstance(entry, Mapping):
        raise SecretUnreadable("has a registry without an account")
    user, password = entry.get("username"), entry.get("password")
    if not (user and password) and isinstance(entry.get("auth"), str):
        try:
            user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise SecretUnreadable("has an `auth` that is no base64") from None
    if not isinstance(user, str) or not isinstance(password, str) or not (user and password):
        raise SecretUnreadable("has a registry without user name and password")
    return Account(user, password.strip("\x00"))
