"""Challenges are parsed as HTTP writes them, and no credential goes where others could read it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.oci.challenge import HEADER_MAX, Challenge, challenge_in, realm_problem


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Basic realm="x"', Challenge("basic", "x")),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            Challenge("bearer", "https://a/t", "s"),
        ),
        ('bearer Realm = "https://a/t" , SERVICE=s', Challenge("bearer", "https://a/t", "s")),
        ('Basic realm="x", Bearer realm="https://a/t", service=s', Challenge("bearer", "https://a/t", "s")),
        ('Bearer realm="https://a/t", Basic realm="x"', Challenge("bearer", "https://a/t")),
        ('Bearer realm="https://a/t", Bearer realm="https://b/t"', Challenge("bearer", "https://a/t")),
        ('Bearer realm="a \\"b\\"", realm="c"', Challenge("bearer", 'a "b"')),
        ('Basic realm="x, Bearer realm=https://evil/t"', Challenge("basic", "x, Bearer realm=https://evil/t")),
        ("Negotiate YWJj==, Basic realm=x", Challenge("basic", "x")),
        ("Basic", Challenge("basic")),
        ("Bearer realm=", Challenge("bearer")),
        ('Bearer realm="never closed', Challenge("bearer")),
        ("Negotiate", None),
        (", ,", None),
        ("", None),
    ],
)
def test_challenges_are_read(header: str, challenge: Challenge | None) -> None:
    assert challenge_in(header) == challenge


@given(st.text(alphabet=st.sampled_from('Bearsic lm=",\\:/ \t\u00e9'), max_size=60))
def test_any_header_is_read_or_not(header: str) -> None:
    challenge = challenge_in(header)
    assert challenge is None or challenge.scheme in ("basic", "bearer")


@pytest.mark.parametrize("part", ["a", " ", ",", '"', "a=", 'a="', "\\", "a ", 'a="\\'])
def test_a_header_that_is_made_to_take_long_does_not(part: str) -> None:
    header = f"Bearer {part * HEADER_MAX}"
    assert challenge_in(header) is None
    began = time.process_time()
    challenge_in(header[:HEADER_MAX])
    # Some milliseconds; what tries all ways takes minutes.
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("realm", "problem"),
    [
        ("https://a.example/token", None),
        ("https://plain.example:5000/token", None),
        ("http://plain.example:5000/token", None),
        ("http://plain.example/token", "has no TLS"),
        ("http://a.example/token", "has no TLS"),
        ("ftp://plain.example:5000", "has no TLS"),
        ("https://user@a.example/", "not a URL"),
        ("http://user@plain.example:5000/", "not a URL"),
        ("https://[::1/token", "not a URL"),
        ("https://a.example:99999/", "not a URL"),
        ("https://a.example:0/", "not a URL"),
        ("https://a.example/\nx", "not a URL"),
        ("https:///token", "not a URL"),
        ("/token", "not a URL"),
        ("", "not a URL"),
    ],
)
def test_no_credential_goes_where_others_could_read_it(realm: str, problem: str | None) -> None:
    reported = realm_problem(realm, ("plain.example:5000",))
    assert (reported is None) == (problem is None)
    assert problem is None or (reported and problem in reported)


@given(st.text(max_size=40).map(lambda text: f"https://{text}"))
def test_any_realm_is_checked(realm: str) -> None:
    assert realm_problem(realm, ()) in (None, "it is not a URL")
