"""Finds a registry's account in the docker configs of Secrets, by the rules of the kubelet.

The preflight and the pods that pull and push read Secrets with this file, so that they find the same account.
Credential helpers and credentials of nodes and service accounts are not covered. Error messages name the Secret and
what it lacks; neither they nor a repr contain its content.

An entry is read as in Kubernetes' pkg/credentialprovider/config.go (`DockerConfigEntry.UnmarshalJSON`,
`decodeDockerConfigFieldAuth`); which entries are for an image is `docker_config_keys.py`'s. Two differences: an entry
that cannot be read is skipped, where the kubelet discards the whole Secret, and `auth` may have spaces around it.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.oci.docker_config_keys import matching_keys
from api.oci.image_reference import ImageReference

CONFIG_JSON: Final = ".dockerconfigjson"
"""The key of Secrets of type kubernetes.io/dockerconfigjson: registries are below `auths`."""
LEGACY_CONFIG: Final = ".dockercfg"
"""The key of Secrets of type kubernetes.io/dockercfg: registries are at the top."""
_KEYS: Final = {"kubernetes.io/dockerconfigjson": CONFIG_JSON, "kubernetes.io/dockercfg": LEGACY_CONFIG}
"""By a Secret's type."""
BYTES_MAX: Final = 1 << 20
"""A Secret has no more (Kubernetes' MaxSecretSize)."""
ENTRIES_MAX: Final = 500
DEPTH_MAX: Final = 100
"""Of arrays and objects in each other; a docker config needs three."""
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""One without an end is one, too, so that each byte is read once."""
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


class DockerConfigError(ValueError):
    """A Secret has no usable account; the message names the Secret and what it lacks."""

    def __init__(self, secret: str, lack: str) -> None:
        super().__init__(f"the Secret {secret} {lack}")


@dataclass(frozen=True)
class Account:
    """User and password, or an identity token that a token service accepts instead; `secret` is its source."""

    secret: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def basic(self) -> str:
        """The value of an Authorization header; empty without a password."""
        if not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class DockerConfig:
    """The document of one Secret as it is stored; `content` is None where it has none, for the reason `lack`."""

    secret: str
    content: bytes | None = field(repr=False)
    legacy: bool = False
    lack: str = f"has no {CONFIG_JSON}"

    @classmethod
    def of_secret(cls, name: str, secret: Mapping[str, Any], *, by_kubelet: bool) -> "DockerConfig":
        """From a Secret as the API server gives it. `by_kubelet`: read by the Secret's type, also in the older form, as
        in pkg/credentialprovider/secrets; pods of ours mount a Secret of any type."""
        data, kind = secret.get("data") or {}, str(secret.get("type") or "Opaque")
        if by_kubelet and kind not in _KEYS:
            return cls(name, None, lack=f"is of type {kind}, which the kubelet does not pull with")
        key = _KEYS[kind] if by_kubelet else CONFIG_JSON
        return cls(name, _decoded(str(data[key])), key == LEGACY_CONFIG) if data.get(key) else cls(name, None)


def accounts_for(
    image: ImageReference, configs: Iterable[DockerConfig], *, identity_tokens: bool = True
) -> list[Account]:
    """The accounts for the image's registry, one of each Secret that has one, in their order.

    `identity_tokens`: False for what the kubelet pulls, which knows only users and passwords (config.go). Raises
    DockerConfigError if no Secret has an account and one of them cannot be used; a registry without an entry in any
    Secret is not an error.
    """
    found, errors = list[Account](), list[DockerConfigError]()
    for config in configs:
        try:
            account = _account_in(config, image, identity_tokens)
        except DockerConfigError as error:
            errors.append(error)
        else:
            found += [account] if account else []
    if errors and not found:
        raise errors[0]
    return found


def _account_in(config: DockerConfig, image: ImageReference, identity_tokens: bool) -> Account | None:
    lacks = list[str]()
    entries = _entries(config)
    for key in matching_keys(entries, image):
        account, lack = _account(entries[key], config.secret, identity_tokens)
        if account:
            return account
        lacks.append(lack)
    if lacks:
        raise DockerConfigError(config.secret, f"has an entry for {image.host} {lacks[0]}")
    return None


def _entries(config: DockerConfig) -> Mapping[str, Any]:
    if config.content is None:
        fix = "create it with kubectl create secret docker-registry"
        raise DockerConfigError(config.secret, f"{config.lack}: {fix}")
    if len(config.content) > BYTES_MAX:
        raise DockerConfigError(config.secret, f"has a docker config of more than {BYTES_MAX} bytes")
    # How deep Python's parser goes depends on its caller, and preflight and pods are to find the same account.
    if _is_deeper(config.content, DEPTH_MAX):
        raise DockerConfigError(config.secret, f"has a docker config with more than {DEPTH_MAX} levels")
    try:
        document = json.loads(config.content)
    except ValueError:
        # The parser's own message would quote the Secret's content.
        raise DockerConfigError(config.secret, "has a docker config that is not JSON") from None
    entries = document.get("auths") if isinstance(document, dict) and not config.legacy else document
    if not isinstance(entries, dict):
        raise DockerConfigError(config.secret, "has a docker config without registries")
    if len(entries) > ENTRIES_MAX:
        raise DockerConfigError(config.secret, f"has {len(entries)} registries, and {ENTRIES_MAX} are read")
    return entries


def _is_deeper(content: bytes, levels: int) -> bool:
    """Whether more arrays and objects than that are open at once; right for JSON, and for nothing else."""
    depth = 0
    for bracket in _STRING.sub(b"", content).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > levels:
            return True
    return False


def _account(entry: Any, secret: str, identity_tokens: bool) -> tuple[Account | None, str]:
    """The account of one entry, or what it lacks. A complete `auth` takes precedence, as in config.go."""
    if not isinstance(entry, dict):
        return None, "without an account"
    user, password, token = _text(entry, "username"), _text(entry, "password"), _text(entry, "identitytoken")
    auth = _text(entry, "auth")
    pair = _split_auth(auth)
    if pair and (all(pair) or not (user and password)):
        user, password = pair
    if token and identity_tokens:
        return (Account(secret, user, password, token) if user and password else Account(secret, "", "", token)), ""
    if user and password:
        return Account(secret, user, password), ""
    if token:
        return None, "with an identity token, which the kubelet does not use: write user name and password"
    if auth and not pair:
        return None, "with an `auth` that is not user:password in base64"
    return None, "without a password" if user else "without user name and password"


def _text(entry: Mapping[str, Any], key: str) -> str:
    """What the entry has as text that can be sent; empty otherwise. JSON may hold halves of characters."""
    value = entry.get(key)
    return value if isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value) else ""


def _split_auth(auth: str) -> tuple[str, str] | None:
    try:
        user, colon, password = _decoded(auth).decode().partition(":")
    except UnicodeDecodeError:
        return None
    # Docker once filled up with NUL (cli/config/configfile, decodeAuth).
    return (user, password.strip("\x00")) if colon else None


def _decoded(text: str) -> bytes:
    """Decodes base64 with line breaks and spaces, padded or not; empty if the text is not base64."""
    text = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
