"""Links become file names that nobody loses, and are shown without what is secret in them."""

import pytest

from runtime.data.links import is_web_page, links_of, with_ending


def names(*urls: str) -> list[str]:
    return [link.name for link in links_of(urls)]


def test_a_name_is_the_last_part_of_the_path() -> None:
    assert names("https://a.example/x/train%20set.parquet?sig=1#f") == ["train_set.parquet"]


def test_names_that_clash_get_suffixes_whatever_the_order() -> None:
    urls = ("https://a.example/train.json", "https://b.example/train.json", "https://b.example/Train.parquet")
    found = names(*urls)
    assert len(set(found)) == 3
    assert names(*reversed(urls)) == found[::-1]
    assert names(urls[0]) == ["train.json"]


def test_a_link_given_twice_is_one() -> None:
    assert len(links_of(["https://a.example/x.csv"] * 2)) == 1


@pytest.mark.parametrize(
    "url",
    ["https://a.example/", "https://a.example/..", "https://a.example/%2e%2e%2f.ssh", "https://a.example/" + "x" * 999],
)
def test_a_name_leads_nowhere_and_is_short(url: str) -> None:
    (name,) = names(url)
    assert name
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) <= 150


def test_the_hub_is_replaced_by_its_mirror_and_others_are_not() -> None:
    urls = ["https://huggingface.co/datasets/a/b/resolve/main/c.csv?download=true", "https://a.example/datasets/c.csv"]
    found = [link.url for link in links_of(urls, "http://mirror:8080/")]
    assert found == ["http://mirror:8080/datasets/a/b/resolve/main/c.csv?download=true", urls[1]]


def test_what_is_shown_has_no_query() -> None:
    (link,) = links_of(["https://a.example/x.csv?sig=secret"])
    assert link.shown == "https://a.example/x.csv"


@pytest.mark.parametrize(
    ("name", "kind", "beginning", "expected"),
    [
        ("a.csv", "text/html", b"PAR1", "a.csv"),
        ("a", "", b"PAR1xx", "a.parquet"),
        ("a", "", b"ARROW1", "a.arrow"),
        ("a.v2", "application/json; charset=utf-8", b"[", "a.v2.json"),
        ("a", "application/octet-stream", b"{", "a"),
    ],
)
def test_an_ending_is_found_by_content_or_type(name: str, kind: str, beginning: bytes, expected: str) -> None:
    assert with_ending(name, kind, beginning) == expected


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('attachment; filename="train set.jsonl"', "download.jsonl"),
        ("attachment; filename*=UTF-8''tr%C3%A4in.csv", "download.csv"),
        ('attachment; filename="../../x.JSON"', "download.json"),
        ('attachment; filename="x.tar.gz"', "download"),
        ("inline", "download"),
    ],
)
def test_an_ending_is_found_in_the_name_that_the_server_gives(disposition: str, expected: str) -> None:
    assert with_ending("download", "application/octet-stream", b"{", disposition) == expected


def test_the_ending_that_was_asked_for_is_taken_where_the_name_has_none() -> None:
    assert with_ending("download", "text/csv", b"{", "", ".jsonl") == "download.jsonl"
    assert with_ending("a.csv", "text/csv", b"{", "", ".jsonl") == "a.csv"


@pytest.mark.parametrize("text", [b"<!DOCTYPE html>", b"\n\n <HTML>", b"\xef\xbb\xbf<html>", b"<?xml version"])
def test_web_pages_are_known_by_their_beginning(text: bytes) -> None:
    assert is_web_page(text)


@pytest.mark.parametrize("text", [b"PAR1", b'{"text": "<html>"}', b"text\n<html>", b"", b"<s>,answer"])
def test_data_is_no_web_page(text: bytes) -> None:
    assert not is_web_page(text)
