"""References lead to a registry, docker configs to a credential, challenges to an answer; no secret is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.registry.challenges import Challenge, challenge_in, realm_problem
from runtime.registry.credentials import credentials_for
from runtime.registry.faults import RegistryFault
from runtime.registry.references import ImageReference, parsed

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("r.example/a/b:v1", ImageReference("r.example", "a/b", "v1")),
        ("r.example:5000/a", ImageReference("r.example:5000", "a", "latest")),
        (f"r.example/a@{DIGEST}", ImageReference("r.example", "a", "", DIGEST)),
        (f"r.example/a:v1@{DIGEST}", ImageReference("r.example", "a", "v1", DIGEST)),
        ("localhost/a", ImageReference("localhost", "a", "latest")),
        ("busybox", ImageReference("registry-1.docker.io", "library/busybox", "latest")),
        ("team/a:1", ImageReference("registry-1.docker.io", "team/a", "1")),
        ("docker.io/team/a", ImageReference("registry-1.docker.io", "team/a", "latest")),
    ],
)
def test_references_are_read_as_everywhere(text: str, reference: ImageReference) -> None:
    assert parsed(text) == reference


@pytest.mark.parametrize(
    "text", ["", "a b", "r.example/A", "r.example/a:", "r.example/a@sha256:1", "r.example/../a", "/a"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no image reference"):
        parsed(text)


def configs(folder: Path, **files: Any) -> dict[str, str]:
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps({"auths": content}))
    return {name: str(folder / name) for name in files}


def test_the_entry_that_says_most_wins(tmp_path: Path) -> None:
    entries = {"r.example": {"username": "all", "password": "x"}, "r.example/team": {"auth": "dGVhbTp5OnM="}}
    (found,) = credentials_for(parsed("r.example/team/a"), configs(tmp_path, one=entries))
    assert (found.user, found.password) == ("team", "y:s")
    (other,) = credentials_for(parsed("r.example/teams/a"), configs(tmp_path, one=entries))
    assert other.user == "all"


@pytest.mark.parametrize("key", ["https://r.example/v2/", "http://r.example", "r.example/", "https://r.example/v1/"])
def test_keys_are_read_as_docker_has_written_them(tmp_path: Path, key: str) -> None:
    assert credentials_for(parsed("r.example/a"), configs(tmp_path, one={key: {"username": "u", "password": "p"}}))


def test_docker_hub_is_known_by_its_old_name(tmp_path: Path) -> None:
    entries = {"https://index.docker.io/v1/": {"username": "u", "password": "p"}}
    assert credentials_for(parsed("team/a"), configs(tmp_path, one=entries))


def test_all_secrets_that_have_one_are_given_in_order(tmp_path: Path) -> None:
    right = {"r.example": {"username": "u", "password": "p"}}
    found = credentials_for(
        parsed("r.example/a"), configs(tmp_path, none={"other.example": {}}, first=right, second=right)
    )
    assert [credential.source for credential in found] == ["first", "second"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"auths": []}', '{"auths": {"r.example": {"auth": "s3cret!"}}}', '{"auths": "s3cret"}']
)
def test_a_secret_that_cannot_be_read_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(RegistryFault, match="the Secret broken") as caught:
        credentials_for(parsed("r.example/a"), configs(tmp_path, broken=content))
    assert "s3cret" not in str(caught.value)


def test_nothing_of_a_credential_is_shown(tmp_path: Path) -> None:
    entry = {"username": "us3r", "password": "s3cret", "identitytoken": "t0ken"}
    (found,) = credentials_for(parsed("r.example/a"), configs(tmp_path, one={"r.example": entry}))
    assert not any(word in repr(found) for word in ("us3r", "s3cret", "t0ken"))


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Basic realm="x"', Challenge("basic", "x")),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            Challenge("bearer", "https://a/t", "s", "repository:a:pull,push"),
        ),
        ('Basic realm="x", Bearer realm="https://a/t", service=s', Challenge("bearer", "https://a/t", "s")),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_challenges_are_read(header: str, challenge: Challenge | None) -> None:
    assert challenge_in(header) == challenge


@pytest.mark.parametrize(
    ("realm", "plain", "fine"),
    [
        ("https://a.example/token", False, True),
        ("http://a.example/token", False, False),
        ("http://a.example/token", True, True),
        ("ftp://a.example", True, False),
        ("https://user@a.example/", False, False),
        ("", False, False),
    ],
)
def test_no_credential_goes_where_others_could_read_it(realm: str, plain: bool, fine: bool) -> None:
    assert (realm_problem(realm, plain) is None) == fine
