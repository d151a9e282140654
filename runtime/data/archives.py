"""Reads archives of strangers entry by entry, within bounds of memory.

What of them is unpacked, and where to, is left to `unpacking.py`.
"""

import gzip
import tarfile
from collections.abc import Callable
from typing import IO, Final, cast

import pyarrow as pa

HEADER_MAX: Final = 2**20
"""Bytes of the extended headers of one entry, and of those for all entries, which are read into memory; names and times
need less than a thousandth of it."""
_HEADERS: Final = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class UnsafeArchive(Exception):
    """A layer is unreadable or contains an entry that must not be unpacked; the text names the entry."""


class Archive(tarfile.TarFile):
    """A stream of entries that keeps none of them, and knows how many bytes of headers it has read."""

    headers = 0
    """Since the last entry."""
    lasting = 0
    """Those that hold for all entries, which tarfile keeps."""

    def forget(self) -> None:
        """Drops the entries that were read: tarfile keeps each, and a layer may have a million outside of the data."""
        self.members: list[tarfile.TarInfo] = []
        self.headers = 0


class Bounded(tarfile.TarInfo):
    """Refuses oversized headers, because tarfile reads a header into memory as a whole, and sparse files.

    `_proc_member` is what tarfile's source names for overriding. `frombuf` is not enough: Python 3.11.2 as patched by
    Debian, which runs in the images, does not call it.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        assert isinstance(archive, Archive)
        if self.type == tarfile.GNUTYPE_SPARSE:
            self._refuse_sparse()
        if self.type in _HEADERS:
            archive.headers += self.size
            archive.lasting += self.size if self.type == tarfile.XGLTYPE else 0
            if max(archive.headers, archive.lasting) > HEADER_MAX:
                raise UnsafeArchive(f"a header has {max(archive.headers, archive.lasting)} bytes")
        read: Callable[[tarfile.TarFile], tarfile.TarInfo] = super()._proc_member  # type: ignore[misc]  # not in typeshed
        return read(archive)

    def _refuse_sparse(self, *read: object) -> None:
        raise UnsafeArchive("it holds a sparse file; write it with all of its bytes")

    # The three ways to write a sparse file's map in an extended header; each is a list in memory, of any length.
    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


def plain(packed: IO[bytes]) -> IO[bytes]:
    """Decompresses the archive; detects the compression by the first bytes."""
    beginning = packed.read(4)
    packed.seek(0)
    if beginning.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if beginning == b"\x28\xb5\x2f\xfd":
        return cast(IO[bytes], pa.CompressedInputStream(packed, "zstd"))
    return packed
