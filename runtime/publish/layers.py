"""An image's layers as tar streams that are the same for the same files: nothing of where or when they were written.

A layer is never on the disk or in memory: headers are made, and files read, while it is hashed or sent. Layers are not
compressed, because weights do not become smaller; so a layer's digest is its diff id as well.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.registry.blobs import CHUNK, Blob, Content, blob_of

LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
FOLDER: Final = "data"
_BLOCK: Final = tarfile.BLOCKSIZE


class FileChanged(Exception):
    """A file is not as long as it was when its layer was begun; the text names it."""


@dataclass(frozen=True)
class Entry:
    """A file of a layer: its name below /data, its length in bytes, where its bytes come from."""

    name: str
    size: int
    content: Content


def entry_of_file(name: str, file: Path) -> Entry:
    """Raises OSError when there is no such file."""
    return Entry(name, file.stat().st_size, lambda: _bytes_of(file))


def entry_of_text(name: str, text: str) -> Entry:
    """For what is made here."""
    content = text.encode()
    return Entry(name, len(content), lambda: iter((content,)))


def layer_of(entries: Sequence[Entry]) -> Blob:
    """The layer; its files are read once for the digest. Raises FileChanged, OSError."""
    ordered = sorted(entries, key=lambda entry: entry.name)
    return blob_of(LAYER, lambda: _tar(ordered))


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


def _bytes_of(file: Path) -> Iterator[bytes]:
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
