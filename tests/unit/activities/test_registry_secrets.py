"""Which account of a docker config a registry gets: by host, path and glob, in both forms, and never a guess."""

import json
from base64 import b64encode
from typing import Any

import pytest

from activities.registry_secrets import Account, SecretUnreadable, account_for
from api.validation.image_references import ImageName


def a_secret(entries: Any, key: str = ".dockerconfigjson") -> dict[str, Any]:
    document = {"auths": entries} if key == ".dockerconfigjson" else entries
    return {"data": {key: b64encode(json.dumps(document).encode()).decode()}}


ANN = {"username": "ann", "password": "p"}
IMAGE = "registry.example.com/team/server:1"


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        pytest.param(IMAGE, "registry.example.com", id="host"),
        pytest.param(IMAGE, "https://registry.example.com/v2/", id="address"),
        pytest.param(IMAGE, "registry.example.com/team", id="path"),
        pytest.param(IMAGE, "*.example.com", id="glob"),
        pytest.param("phi:1", "https://index.docker.io/v1/", id="docker's hub"),
        pytest.param("docker.io/ann/phi", "docker.io", id="docker's hub by name"),
        pytest.param("r.example.com:5000/phi", "r.example.com:5000", id="port"),
    ],
)
def test_a_registry_gets_its_account(image: str, pattern: str) -> None:
    for key in (".dockerconfigjson", ".dockercfg"):
        assert account_for(ImageName.of(image), a_secret({pattern: ANN}, key)) == Account("ann", "p")


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        pytest.param(IMAGE, "registry.example.org", id="another host"),
        pytest.param(IMAGE, "registry.example.com/te", id="half a path"),
        pytest.param(IMAGE, "*.com", id="a star is one part of a name"),
        pytest.param("r.example.com:5000/phi", "r.example.com", id="another port"),
        pytest.param("phi:1", "registry.example.com", id="docker's hub"),
    ],
)
def test_another_registry_gets_none(image: str, pattern: str) -> None:
    assert account_for(ImageName.of(image), a_secret({pattern: ANN})) is None


def test_the_more_exact_entry_wins_and_auth_alone_will_do() -> None:
    auth = {"auth": b64encode(b"bob:p:q").decode()}
    found = account_for(ImageName.of(IMAGE), a_secret({"registry.example.com": ANN, "registry.example.com/team": auth}))
    assert found == Account("bob", "p:q")
    assert "p:q" not in repr(found)


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"data": {"token": "eA=="}},
        {"data": {".dockerconfigjson": "!"}},
        {"data": {".dockerconfigjson": b64encode(b"[]").decode()}},
        a_secret({"registry.example.com": "ann"}),
        a_secret({"registry.example.com": {"auth": "!"}}),
        a_secret({"registry.example.com": {"username": "ann"}}),
    ],
)
def test_what_is_no_docker_config_is_told_without_its_content(secret: dict[str, Any]) -> None:
    with pytest.raises(SecretUnreadable) as told:
        account_for(ImageName.of(IMAGE), secret)
    assert "ann" not in str(told.value)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("phi", ("registry-1.docker.io", "library/phi", "latest")),
        ("ann/phi:2", ("registry-1.docker.io", "ann/phi", "2")),
        ("r.example.com:5000/a/b@sha256:" + "0" * 64, ("r.example.com:5000", "a/b", "sha256:" + "0" * 64)),
        ("r.example.com/a:1@sha256:" + "0" * 64, ("r.example.com", "a", "sha256:" + "0" * 64)),
    ],
)
def test_a_reference_has_a_host_a_path_and_a_version(reference: str, parts: tuple[str, str, str]) -> None:
    image = ImageName.of(reference)
    assert (image.host, image.path, image.version) == parts
