"""Maps links to file names and to the URLs that are requested. Pure functions.

Files of the same name get a suffix derived from their link, so they do not overwrite each other, whatever the order of
the links. Links to the Hugging Face hub are rewritten to its mirror. Links are shown without their query, which may
contain signatures.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from api.pods.training_rows import FORMATS

HUB_HOSTS: Final = ("huggingface.co", "www.huggingface.co", "hf.co")
NAME_MAX: Final = 150
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_TYPES: Final = {
    "application/vnd.apache.parquet": ".parquet",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "text/csv": ".csv",
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrow",
}
_BEGINNINGS: Final = ((b"PAR1", ".parquet"), (b"ARROW1", ".arrow"))


@dataclass(frozen=True)
class Link:
    """`url` is requested, `key` names the stored partial file, `name` is the file's, perhaps without its ending yet."""

    url: str
    key: str
    name: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def shown(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def links_of(urls: Sequence[str], hub: str | None = None) -> list[Link]:
    """Returns one link per distinct URL, in order; `hub` is the mirror that replaces the Hugging Face hub."""
    different = list(dict.fromkeys(urls))
    names = {url: _name(url) for url in different}
    taken = Counter(_stem(name) for name in names.values())
    found = []
    for url in different:
        key, name = sha256(url.encode()).hexdigest()[:16], names[url]
        if taken[_stem(name)] > 1:
            name = f"{PurePosixPath(name).stem}-{key[:8]}{PurePosixPath(name).suffix}"
        found.append(Link(_mirrored(url, hub), key, name))
    return found


def with_ending(name: str, content_type: str, beginning: bytes, disposition: str = "", asked: str = "") -> str:
    """Returns the name; if its ending is not a known one, with the ending that was asked for, or that matches the
    content, its type, or the name that the server gives the file (Content-Disposition)."""
    if _ending(name):
        return name
    kind = _TYPES.get(content_type.partition(";")[0].strip().lower(), "")
    found = next((ending for start, ending in _BEGINNINGS if beginning.startswith(start)), kind)
    return name + (asked or found or _ending(_given(disposition)))


def _given(disposition: str) -> str:
    """The file's name in a Content-Disposition header (RFC 6266); only its ending is used."""
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_filename("") or ""


def _ending(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in FORMATS else ""


def is_web_page(beginning: bytes) -> bool:
    """Returns whether the bytes begin like HTML, which none of the data formats does."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<!--", b"<?xml"))


def _mirrored(url: str, hub: str | None) -> str:
    parts = urlsplit(url)
    if not hub or (parts.hostname or "").lower() not in HUB_HOSTS:
        return url
    return hub.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


def _name(url: str) -> str:
    last = unquote(PurePosixPath(urlsplit(url).path).name, errors="replace")
    plain = _UNSAFE.sub("_", last).lstrip(".")
    stem, suffix = PurePosixPath(plain).stem, PurePosixPath(plain).suffix
    return (stem[: NAME_MAX - len(suffix)] + suffix)[:NAME_MAX] or "data"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.lower()
