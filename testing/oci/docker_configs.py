"""Nine Secrets that preflight and pods once parsed with two programs, which disagreed on five of them."""

from base64 import b64encode
from typing import Any, Final

USER, PASSWORD, IDENTITY = "ann", "s3cret-password", "s3cret-identity"
GOOD: Final = {"username": USER, "password": PASSWORD}
EMPTY_ID: Final = "00000000-0000-0000-0000-000000000000:"
"""The user name that `az acr login` writes next to an identity token, without a password."""


def encoded(text: str) -> str:
    """Returns the text as it appears in `auth`."""
    return b64encode(text.encode()).decode()


def nine_secrets(host: str) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Returns by case: the image, the entries below `auths`, and what is found (password, identity, nothing).

    `host` is a registry's, with its port; Docker Hub's names are fixed.
    """
    image, glob = f"{host}/team/a:1", f"*.{host.partition('.')[2]}"
    login = {"auth": encoded(EMPTY_ID), "identitytoken": IDENTITY}
    return {
        "host": (image, {host: GOOD}, "password"),
        "docker.io": ("team/a:1", {"docker.io": GOOD}, "password"),
        "index.docker.io": ("team/a:1", {"https://index.docker.io/v1/": GOOD}, "password"),
        "path": (image, {f"{host}/team": GOOD, host: GOOD | {"password": "of another folder"}}, "password"),
        "glob": (image, {glob: GOOD}, "password"),
        "another path": ("team/a:1", {"docker.io/other": GOOD}, "nothing"),
        "line break in auth": (image, {host: {"auth": encoded(f"{USER}:{PASSWORD}") + "\n"}}, "password"),
        "identity token": (image, {host: login}, "identity"),
        "empty entry first": (image, {f"{host}/team": {}, host: GOOD}, "password"),
    }
