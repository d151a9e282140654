"""Reads what a server's answer says of a file in its headers: length, validator, encoding, checksum."""

from base64 import b64decode
from hashlib import file_digest
from pathlib import Path

import httpx

from runtime.data.failures import BROKEN_OFF, UNREADABLE
from runtime.data.links import Link
from runtime.pod.exit import Failure


def length(response: httpx.Response) -> int | None:
    """Returns the announced length in bytes, if any; httpx raises if fewer arrive."""
    return int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None


def validator(response: httpx.Response) -> str:
    """Returns the value for If-Range: a strong entity tag or the time of the last change."""
    tag = str(response.headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(response.headers.get("Last-Modified", ""))


def starts_at(response: httpx.Response, offset: int) -> bool:
    span = str(response.headers.get("Content-Range", "")).lower().replace(" ", "")
    return span.startswith(f"bytes{offset}-")


def check_plain(link: Link, response: httpx.Response) -> None:
    """Raises Failure for content that comes compressed, which was not asked for."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        text = f"{link.host} sends it compressed (Content-Encoding: {encoding[:40]}), which was not asked for"
        raise Failure(UNREADABLE, f"{link.shown}: {text}; store it there uncompressed and without that header")


def check_promise(link: Link, response: httpx.Response, part: Path) -> None:
    """Verifies the SHA-256 that the server sent, if any (RFC 9530, and the older header)."""
    for name in ("Repr-Digest", "Digest"):
        for entry in response.headers.get(name, "").split(","):
            algorithm, _, value = entry.strip().partition("=")
            if algorithm.lower() == "sha-256":
                with part.open("rb") as stream:
                    found = file_digest(stream, "sha256").digest()
                if b64decode(value.strip(":")) != found:
                    part.unlink()
                    raise Failure(BROKEN_OFF, f"{link.shown} is damaged: its SHA-256 differs from the server's")
