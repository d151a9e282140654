"""An image's layers as tar streams that are the same for the same files: nothing of where or when they were written.

A layer is never on the disk or in memory: headers are made, and files read, while it is hashed or sent. Layers are not
compressed, because weights do not become smaller; so a layer's digest is its diff id as well.
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
    """A file is not what it was: its length, or the checksum that training noted; the text names it."""


@dataclass(frozen=True)
class Entry:
    """A file of a layer: its name below /data, its length in bytes, where its bytes come from, what they should be."""

    name: str
    size: int
    content: Content
    sha256: str | None = None
    """As hex; None where nobody has noted it."""


def entry_of_file(name: str, file: Path, sha256: str | None = None) -> Entry:
    """Raises OSError when there is no such file."""
    return Entry(name, file.stat().st_size, lambda: _bytes_of(file), sha256)


def entry_of_text(name: str, text: str) -> Entry:
    """For what is made here."""
    content = text.encode()
    return Entry(name, len(content), lambda: iter((content,)))


def layer_of(entries: Sequence[Entry]) -> Blob:
    """The layer; its files are read once, for its digest and for their own. Raises FileChanged, OSError."""
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
    """Time 0, owner 0 and no names: TarInfo's defaults."""
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
    """The bytes, hashed a second time beside whoever takes them: a file's checksum is not its layer's."""
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
        raise FileChanged(f"{entry.name} is not what training wrote: its SHA-256 is another")


def _bytes_of(file: Path) -> Iterator[bytes]:
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
