"""Where Temporal is and with which credentials: our settings, over Temporal's own environment configuration.

Reads the files anew at each call, so that a caller notices what has changed. Connecting is left to
`process/temporal.py`, what changes mean to `process/connection/rotation.py`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from temporalio.envconfig import ClientConfigProfile
from temporalio.service import TLSConfig

from process.exit import CannotStart
from process.settings import TemporalSettings

ADDRESS: Final = "127.0.0.1:7233"
NAMESPACE: Final = "default"
CONFIG_FILE: Final = "TEMPORAL_CONFIG_FILE"


class Misconfigured(CannotStart):
    """The configuration cannot be read. The message names the fix and no secret."""


@dataclass(frozen=True)
class Target:
    """A server, a namespace, and what is shown to the server. `tls`: False is none, True trusts the system's CAs."""

    address: str = ADDRESS
    namespace: str = NAMESPACE
    tls: bool | TLSConfig = field(default=False, repr=False)
    api_key: str | None = field(default=None, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_target(settings: TemporalSettings, environment: Mapping[str, str] | None = None) -> Target:
    """Returns what is configured now; MODELYARD_ settings win over the profile. `environment` is the process' own by
    default. Raises Misconfigured."""
    given = os.environ if environment is None else environment
    profile = _profile(given) if settings.temporal_envconfig else ClientConfigProfile()
    if settings.temporal_api_key_file is not None:
        profile = replace(profile, api_key=_api_key(settings.temporal_api_key_file))
    try:
        found = profile.to_client_connect_config()
    except OSError as error:
        raise Misconfigured(
            f"{error.filename} cannot be read ({error.strerror}): mount it there, readable for this process, or "
            "correct the TEMPORAL_TLS_..._PATH that names it"
        ) from None
    return Target(
        address=settings.temporal_address or found.get("target_host", ADDRESS),
        namespace=settings.temporal_namespace or found.get("namespace", NAMESPACE),
        tls=found.get("tls", False),
        api_key=found.get("api_key"),
        metadata=found.get("rpc_metadata", {}),
    )


def _profile(environment: Mapping[str, str]) -> ClientConfigProfile:
    """Temporal takes a file that is not there for an empty one; one that was named must be there."""
    file = environment.get(CONFIG_FILE)
    if file and not Path(file).is_file():
        raise Misconfigured(f"{CONFIG_FILE} names {file}, which is no file: mount the profiles there, or unset it")
    try:
        return ClientConfigProfile.load(override_env_vars=dict(environment), config_file_strict=bool(file))
    except (RuntimeError, ValueError) as error:
        # What follows the first line quotes the file, which may have a key in it.
        cause = str(error).splitlines()[0]
        raise Misconfigured(
            f"Temporal's environment configuration ({CONFIG_FILE}={file or 'not set'}, TEMPORAL_PROFILE="
            f"{environment.get('TEMPORAL_PROFILE') or 'not set'}) cannot be used: {cause}. Correct the file, or name "
            "a profile that is in it"
        ) from None


def _api_key(file: Path) -> str:
    try:
        key = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not text"
        raise Misconfigured(
            f"the API key cannot be read from {file} ({cause}): mount the Secret there, or correct "
            "MODELYARD_TEMPORAL_API_KEY_FILE"
        ) from None
    if not key.isascii() or not key.isprintable() or not key:
        raise Misconfigured(f"{file} must have the API key and nothing else, on one line")
    return key
