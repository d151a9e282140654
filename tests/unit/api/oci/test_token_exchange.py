"""Tokens are asked for by the two specifications, and taken only where they fit in a header."""

import json

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.oci.challenge import Challenge
from api.oci.docker_config import Account
from api.oci.token_exchange import TOKEN_MAX, token_in, token_request

CHALLENGE = Challenge("bearer", "https://a.example/token", "registry")
SCOPE = "repository:team/a:pull,push"


def test_a_password_goes_in_a_header() -> None:
    asked = token_request(CHALLENGE, SCOPE, Account("s", "ann", "p"))
    assert (asked.method, asked.url, asked.query) == ("GET", CHALLENGE.realm, {"service": "registry", "scope": SCOPE})
    assert (asked.headers, asked.form) == ({"Authorization": "Basic YW5uOnA="}, {})


@pytest.mark.parametrize("account", [Account("s", identity_token="t"), Account("s", "ann", "p", "t")])
def test_an_identity_token_goes_in_a_form(account: Account) -> None:
    asked = token_request(CHALLENGE, SCOPE, account)
    assert (asked.method, asked.query, asked.headers) == ("POST", {}, {})
    assert asked.form == {
        "service": "registry", "scope": SCOPE, "client_id": "modelyard", "grant_type": "refresh_token",
        "refresh_token": "t",
    }  # fmt: skip


def test_an_anonymous_request_has_no_account_and_no_service() -> None:
    asked = token_request(Challenge("bearer", "https://a.example/token"), SCOPE, None)
    assert (asked.method, asked.query, asked.headers) == ("GET", {"scope": SCOPE}, {})


def test_nothing_of_a_credential_is_shown() -> None:
    accounts = (Account("s", "us3r", "s3cret"), Account("s", identity_token="s3cret"))
    shown = repr([(account, token_request(CHALLENGE, SCOPE, account)) for account in accounts])
    assert not any(word in shown for word in ("us3r", "s3cret", "dXMzcjpzM2NyZXQ"))


@pytest.mark.parametrize(
    ("content", "token"),
    [
        (b'{"token": "t", "access_token": "u"}', "t"),
        (b'{"access_token": "u"}', "u"),
        (b'{"token": ""}', ""),
        (b'{"token": 1}', ""),
        (b'{"token": "a\\nb"}', ""),
        (b'{"token": "a b"}', ""),
        (b'{"token": "t "}', ""),
        (b'{"token": " t"}', ""),
        (b'{"token": "\\u007f"}', ""),
        ('{"token": "é"}'.encode(), ""),
        (b'["token"]', ""),
        (b"[" * TOKEN_MAX, ""),
        (b"<html>", ""),
        (b"", ""),
        (json.dumps({"token": "t" * TOKEN_MAX}).encode(), ""),
    ],
)
def test_a_token_is_taken_from_what_is_answered(content: bytes, token: str) -> None:
    assert token_in(content) == token


@given(st.binary(max_size=60))
def test_any_answer_is_read(content: bytes) -> None:
    assert isinstance(token_in(content), str)


@given(st.text(max_size=20))
def test_every_token_fits_in_a_header(text: str) -> None:
    token = token_in(json.dumps({"token": text}).encode())
    h11.Request(method="GET", target="/", headers=[("Host", "a"), ("Authorization", f"Bearer {token or 't'}")])
