"""Image references are parsed by the grammar of the container tools, into what a registry is asked for."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.oci.image_reference import ImageReference, credential_names, digest_matches, reference_problem

VALID = [
    "ubuntu", "ubuntu:22.04", "library/ubuntu", "docker.io/library/ubuntu:latest", "localhost/a", "localhost:5000/a:b",
    "registry.example.com:5000/team/app/x:v1.2-3_4", "10.0.0.1:5000/a", "[2001:db8::1]:5000/a", "a.b/c__d/e--f.g",
    "Host.Example/a", "UPPER/a:b", "a@sha256:" + "0" * 64, "r.io/a:t@sha256:" + "f" * 64, "a/" + "b" * 253,
    "f" * 64 + ":t", "r.io/" + "f" * 64, "r.io:65535/a", "1.2.3/a", "[::1]/a", "[::ffff:a00:1]/a",
]  # fmt: skip
INVALID = [
    "", " ", "!Valid", "Upper", "a/Upper", "a:", ":tag", "a@", "a@sha256:abc", "a@sha256:" + "G" * 64, "a//b", "/a",
    "a/", "a_", "a___b", "a..b", "a:t:u", "a:" + "t" * 129, "a b", "a\n", "a\x00", "-a", "a;b", "$(id)", "`id`",
    "'; rm -rf / #", "http://r.io/a", "a:té", "r.io:port/a", "a/" + "b" * 254, "f" * 64, "a" * 2000, "r.io/a@b@c",
    "r.io:65536/a", "r.io:0/a", "r.io:/a", "999.1.1.1/a", "[:::::]/a", "[1]/a", "[::1]:99999/a", "[::1/a",
    "[::1%eth0]/a",
]  # fmt: skip


@pytest.mark.parametrize("reference", VALID)
def test_references_of_every_form_are_accepted(reference: str) -> None:
    assert reference_problem(reference) is None


@pytest.mark.parametrize("reference", INVALID)
def test_what_the_tools_refuse_is_refused(reference: str) -> None:
    assert reference_problem(reference)


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("a.:/@-_[]A0 ;'$`\n"), max_size=60))
def test_what_is_accepted_holds_nothing_that_a_shell_or_a_header_would_read(text: str) -> None:
    if reference_problem(text) is None:
        assert re.fullmatch(r"[A-Za-z0-9./:@_\[\]-]+", text)
        assert not text.startswith("-")


DIGEST = "sha256:" + "a" * 64
HUB = "registry-1.docker.io"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("r.example/a/b:v1", ImageReference("r.example", "a/b", "v1")),
        ("r.example:5000/a", ImageReference("r.example:5000", "a", "latest")),
        (f"r.example/a@{DIGEST}", ImageReference("r.example", "a", "", DIGEST)),
        (f"r.example:5000/a/b@{DIGEST}", ImageReference("r.example:5000", "a/b", "", DIGEST)),
        (f"r.example/a:v1@{DIGEST}", ImageReference("r.example", "a", "v1", DIGEST)),
        ("localhost/a", ImageReference("localhost", "a", "latest")),
        ("busybox", ImageReference(HUB, "library/busybox", "latest")),
        ("team/a:1", ImageReference(HUB, "team/a", "1")),
        ("docker.io/team/a", ImageReference(HUB, "team/a", "latest")),
        ("index.docker.io/busybox", ImageReference(HUB, "library/busybox", "latest")),
    ],
)
def test_a_reference_has_the_parts_that_a_registry_is_asked_for(text: str, reference: ImageReference) -> None:
    assert ImageReference.parse(text) == reference


def test_a_digest_wins_over_a_tag() -> None:
    image = ImageReference.parse(f"r.example/a:v1@{DIGEST}")
    assert (image.version, str(image)) == (DIGEST, f"r.example/a@{DIGEST}")
    tagged = ImageReference.parse("r.example/a:v1")
    assert (tagged.version, str(tagged), tagged.pinned(DIGEST)) == ("v1", "r.example/a:v1", f"r.example/a@{DIGEST}")


@pytest.mark.parametrize("text", INVALID)
def test_an_invalid_reference_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        ImageReference.parse(text)
    assert str(caught.value) == reference_problem(text)


def test_docker_hub_has_its_account_under_three_names() -> None:
    assert credential_names(HUB) == ("docker.io", "index.docker.io", HUB)
    assert credential_names("r.example:5000") == ("r.example:5000",)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_content_is_compared_by_the_algorithm_of_its_digest(algorithm: str) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, b'content').hexdigest()}"
    assert digest_matches(digest, b"content")
    assert not digest_matches(digest, b"other content")


@pytest.mark.parametrize("digest", ["", "v1", "md5:9a0364b9e99bb480dd25e1f0284c8555", "sha256:"])
def test_an_invalid_digest_matches_nothing(digest: str) -> None:
    assert not digest_matches(digest, b"content")
