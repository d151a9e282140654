"""Streams an image's layers as reproducible tar archives: identical for identical files, without times and owners.

A layer is never stored on disk or in memory: headers are generated, and files read, while it is hashed or uploaded.
Layers are not compressed, because weights hardly compress; so a layer's digest is also its diff id.
"""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from runtime.registry.blobs import CHUNK, Blob, Content, blob_of

LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
FOLDER: Final = "data"
_BLOCK: Final = tarfile.BLOCKSIZE


class FileChanged(Exception):
    """A file's length, or its checksum from the training, does not match; the text names the file."""


@dataclass(frozen=True)
class Entry:
    """A file of a layer: its name below /data, its length in bytes, its content, its expected checksum."""

    name: str
    size: int
    content: Content
    sha256: str | None = None
    """As hex; None if unknown."""


def entry_of_file(name: str, file: Path, sha256: str | None = None) -> Entry:
    """Returns the entry of a file on disk. Raises OSError if it does not exist."""
    return Entry(name, file.stat().st_size, lambda: _bytes_of(file), sha256)


def entry_of_text(name: str, text: str) -> Entry:
    """Returns the entry of a generated file."""
    content = text.encode()
    return Entry(name, len(content), lambda: iter((content,)))


def layer_of(entries: Sequence[Entry]) -> Blob:
    """Returns the layer; reads its files once, for its digest and theirs. Raises FileChanged, OSError."""
    ordered = sorted(entries, key=lambda entry: entry.name)
    with ThreadPoolExecutor(1) as beside:
        checked = [replace(entry, content=partial(_checked, entry, beside)) for entry in ordered]
        read = blob_of(LAYER, lambda: _tar(checked))
    return replace(read, content=lambda: _tar(ordered))


def _tar(entries: Sequence[Entry]) -> Iterator[bytes]:
    yield _header(f"{FOLDER}/", tarfile.DIRTYPE, 0o755, 0)
    for entry in entries:
        yield _header(f"{FOLDER}/{entry.name}", tarfile.REGTYPE, 0o644, entry.size)
        yield from _exactly(entry)
        yield bytes(-entry.size % _BLOCK)
    yield bytes(2 * _BLOCK)


def _header(name: str, kind: bytes, mode: int, size: int) -> bytes:
    """Returns a header with time 0, owner 0 and no user names: TarInfo's defaults."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size = kind, mode, size
    return info.tobuf(tarfile.PAX_FORMAT)


def _exactly(entry: Entry) -> Iterator[bytes]:
    sent = 0
    for chunk in entry.content():
        sent += len(chunk)
        if sent > entry.size:
            break
        yield chunk
    if sent != entry.size:
        raise FileChanged(f"{entry.name} had {entry.size} bytes and is being written to")


def _checked(entry: Entry, beside: Executor) -> Iterator[bytes]:
    """Yields the bytes and hashes them in parallel to the consumer: a file's checksum differs from its layer's."""
    digest = hashlib.sha256()
    hashed: Future[None] | None = None
    for chunk in entry.content():
        if hashed:
            hashed.result()
        hashed = beside.submit(digest.update, chunk) if entry.sha256 else None
        yield chunk
    if hashed:
        hashed.result()
    if entry.sha256 and digest.hexdigest() != entry.sha256:
        raise FileChanged(f"{entry.name} is not what training wrote: its SHA-256 differs")


def _bytes_of(file: Path) -> Iterator[bytes]:
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
