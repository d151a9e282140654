"""Image references are judged by the grammar of the container tools."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.validation.image_references import reference_problem

VALID = [
    "ubuntu", "ubuntu:22.04", "library/ubuntu", "docker.io/library/ubuntu:latest", "localhost/a", "localhost:5000/a:b",
    "registry.example.com:5000/team/app/x:v1.2-3_4", "10.0.0.1:5000/a", "[2001:db8::1]:5000/a", "a.b/c__d/e--f.g",
    "Host.Example/a", "UPPER/a:b", "a@sha256:" + "0" * 64, "r.io/a:t@sha256:" + "f" * 64, "a/" + "b" * 253,
]  # fmt: skip
INVALID = [
    "", " ", "!Valid", "Upper", "a/Upper", "a:", ":tag", "a@", "a@sha256:abc", "a@sha256:" + "G" * 64, "a//b", "/a",
    "a/", "a_", "a___b", "a..b", "a:t:u", "a:" + "t" * 129, "a b", "a\n", "a\x00", "-a", "a;b", "$(id)", "`id`",
    "'; rm -rf / #", "http://r.io/a", "a:té", "r.io:port/a", "a/" + "b" * 254, "f" * 64, "a" * 2000, "r.io/a@b@c",
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
