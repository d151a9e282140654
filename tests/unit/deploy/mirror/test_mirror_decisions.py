"""What a request means, who may read, which bytes are sent, which fault is met: the mirror's pure decisions."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.mirror.access import AccessRules, Refusal, Token, bearer, check_readable, check_visible, known_user
from deploy.local.mirror.answers import card_metadata
from deploy.local.mirror.delivery import RangeNotSatisfiable, span_of
from deploy.local.mirror.faults import Fault, take
from deploy.local.mirror.links import Signer
from deploy.local.mirror.routes import NoSuchAddress, Target, parse

RULES = AccessRules(
    repos={"acme/gated": "gated", "acme/private": "private"},
    tokens={"hf_in": Token(user="ann", repos=["acme/gated", "acme/private"]), "hf_out": Token(user="bob")},
)
Told = tuple[int, str]
"""Status and code of a refusal."""


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/acme/tiny/resolve/main/config.json", Target("resolve", "models", "acme/tiny", "main", "config.json")),
        ("/datasets/acme/rows/resolve/v1/d/a.bin", Target("resolve", "datasets", "acme/rows", "v1", "d/a.bin")),
        ("/acme/tiny/resolve/refs%2Fpr%2F1/x", Target("resolve", "models", "acme/tiny", "refs/pr/1", "x")),
        ("/api/models/acme/tiny", Target("info", "models", "acme/tiny")),
        ("/api/models/acme/tiny/revision/abc", Target("info", "models", "acme/tiny", "abc")),
        ("/api/datasets/acme/rows/tree/main", Target("tree", "datasets", "acme/rows")),
        ("/api/models/acme/tiny/tree/main/sub%2Fdeep", Target("tree", "models", "acme/tiny", "main", "sub/deep")),
        ("/api/models/acme/tiny/paths-info/main", Target("paths-info", "models", "acme/tiny")),
        ("/api/models/acme/tiny/auth-check", Target("auth-check", "models", "acme/tiny")),
        ("/_lfs/models/acme/tiny/abc/a/b.bin", Target("download", "models", "acme/tiny", "abc", "a/b.bin")),
    ],
)
def test_an_address_is_parsed(path: str, target: Target) -> None:
    assert parse(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/models",
        "/api/models/tiny",
        "/api/spaces/acme/app",
        "/api/models/acme/tiny/settings",
        "/acme/tiny/resolve/main",
        "/acme/tiny/resolve/main/a/../../../../etc/passwd",
        "/acme/tiny/resolve/main/%2e%2e%2fsecret",
        "/acme/tiny/resolve/main/a//b",
        "/api/models/acme/tiny/tree/main/..%2f..",
        "/_lfs/models/acme/tiny/abc/%2e%2e/b.bin",
    ],
)
def test_what_is_no_address_or_leads_outside_is_refused(path: str) -> None:
    with pytest.raises(NoSuchAddress):
        parse(path)


@pytest.mark.parametrize(
    ("header", "first", "last", "partial"),
    [
        (None, 0, 99, False),
        ("bytes=0-9", 0, 9, True),
        ("bytes=90-", 90, 99, True),
        ("bytes=90-500", 90, 99, True),
        ("bytes=-10", 90, 99, True),
        ("bytes=-500", 0, 99, True),
        ("bytes=0-1,5-6", 0, 99, False),
        ("bytes=9-3", 0, 99, False),
        ("bytes=-", 0, 99, False),
        ("pages=1-2", 0, 99, False),
    ],
)
def test_a_range_header_chooses_the_bytes(header: str | None, first: int, last: int, partial: bool) -> None:
    span = span_of(header, 100)
    assert (span.first, span.last, span.partial) == (first, last, partial)


def test_a_range_behind_the_end_is_an_error_of_its_own() -> None:
    with pytest.raises(RangeNotSatisfiable, match="100 bytes"):
        span_of("bytes=100-", 100)


@pytest.mark.parametrize(
    ("token", "repo", "seen", "read"),
    [
        (None, "acme/open", None, None),
        (None, "acme/gated", None, (401, "GatedRepo")),
        ("hf_out", "acme/gated", None, (403, "GatedRepo")),
        ("hf_in", "acme/gated", None, None),
        (None, "acme/private", (401, "RepoNotFound"), (401, "RepoNotFound")),
        ("hf_out", "acme/private", (404, "RepoNotFound"), (404, "RepoNotFound")),
        ("hf_in", "acme/private", None, None),
    ],
)
def test_who_may_see_and_who_may_read(token: str | None, repo: str, seen: Told | None, read: Told | None) -> None:
    user = known_user(RULES, token)
    assert _refusal(check_visible, user, repo) == seen
    assert _refusal(check_readable, user, repo) == read


def _refusal(check: Callable[[AccessRules, Token | None, str], None], user: Token | None, repo: str) -> Told | None:
    try:
        check(RULES, user, repo)
    except Refusal as refusal:
        return refusal.status, refusal.code
    return None


def test_a_token_that_was_never_declared_is_refused_everywhere() -> None:
    with pytest.raises(Refusal, match="Invalid credentials") as caught:
        known_user(RULES, "hf_unknown")
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("header", "token"), [(None, None), ("Bearer hf_x", "hf_x"), ("Basic abc", None), ("Bearer ", None)]
)
def test_the_token_is_what_a_bearer_header_carries(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


def test_a_fault_is_used_up_after_its_times_and_only_where_it_matches() -> None:
    faults = [Fault(match="models/acme/*/*.bin", kind="cut", times=2), Fault(match="api/*", kind="status")]
    asked = ("models/acme/a/x.bin", "models/acme/a/y.txt", "models/acme/b/x.bin")
    hits = [take(faults, "GET", subject) for subject in asked]
    assert [hit.kind if hit else None for hit in hits] == ["cut", None, "cut"]
    assert [fault.kind for fault in faults] == ["status"]
    assert take(faults, "HEAD", "api/models/acme/a") is None


def test_a_signed_link_opens_one_file_until_it_expires() -> None:
    signer = Signer(lifetime_s=60)
    where, _, query = signer.link("models", "acme/tiny", "abc", "a b.bin", now_s=1000).partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    signer.check(where, expires, signature, now_s=1060)
    with pytest.raises(Refusal, match="expired"):
        signer.check(where, expires, signature, now_s=1061)
    for other in (where.replace("b.bin", "c.bin"), where.replace("acme", "evil")):
        with pytest.raises(Refusal, match="not signed"):
            signer.check(other, expires, signature, now_s=1000)
    with pytest.raises(Refusal, match="not signed"):
        signer.check(where, "9999", signature, now_s=1000)


@pytest.mark.parametrize(
    ("card", "metadata"),
    [
        ("---\nlicense: mit\n---\ntext", {"license": "mit"}),
        ("text", {}),
        ("---\nlicense: mit", {}),
        ("---\n- a\n---\n", {}),
    ],
)
def test_a_cards_metadata_is_its_yaml_block(card: str, metadata: dict[str, Any]) -> None:
    assert card_metadata(card) == metadata
