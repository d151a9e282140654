"""Finds a registry's credential in docker configs (the Secrets that a Workspace names, mounted as files).

Credential helpers are programs on somebody's laptop: a config that has nothing else holds no credential here. Nothing
of a credential ever stands in a message or in a repr.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.registry.faults import RegistryFault, Trouble
from runtime.registry.references import ImageReference, credential_names


@dataclass(frozen=True)
class Credential:
    """User and password, or a token that is turned into others (`identity`). `source` names the Secret."""

    source: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def credentials_for(image: ImageReference, docker_configs: Mapping[str, str]) -> list[Credential]:
    """One for each Secret that has one, in their order. Raises RegistryFault for a Secret that cannot be read."""
    found = (_in_config(_read(secret, file), image, secret) for secret, file in docker_configs.items())
    return [credential for credential in found if credential]


def _read(secret: str, file: str) -> dict[str, Any]:
    try:
        auths = json.loads(Path(file).read_bytes()).get("auths", {})
    except FileNotFoundError as error:
        raise _unusable(secret, "has no key .dockerconfigjson") from error
    except (OSError, ValueError, AttributeError) as error:
        # The parser's own words would quote what stands in the Secret.
        raise _unusable(secret, f"holds no docker config ({type(error).__name__})") from None
    if not isinstance(auths, dict):
        raise _unusable(secret, "holds no docker config (auths is no map)")
    return auths


def _in_config(auths: dict[str, Any], image: ImageReference, secret: str) -> Credential | None:
    """The entry that says most: one for a folder of the registry before one for all of it."""
    places = [f"{name}/{image.repository}" for name in credential_names(image.host)]
    matching = [key for key in auths if any(_covers(_plain(key), _plain(place)) for place in places)]
    for key in sorted(matching, key=lambda key: len(_plain(key)), reverse=True):
        if isinstance(auths[key], dict) and (credential := _credential(auths[key], secret)):
            return credential
    return None


def _credential(entry: dict[str, Any], secret: str) -> Credential | None:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if not user and entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _unusable(secret, "has an auth that is no base64 of user:password") from None
    identity = str(entry.get("identitytoken") or "")
    return Credential(secret, user, password, identity) if user or identity else None


def _plain(key: str) -> str:
    """Without scheme, version and slashes at the end, as Docker has written keys over the years."""
    key = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return key.removesuffix("/v1").removesuffix("/v2")


def _covers(key: str, place: str) -> bool:
    return place == key or place.startswith(f"{key}/")


def _unusable(secret: str, what: str) -> RegistryFault:
    fix = "create it with kubectl create secret docker-registry"
    return RegistryFault(Trouble.FORBIDDEN, f"the Secret {secret} {what}: {fix}")
