"""Unpacks layers of an untrusted image: only plain files below /data, without path traversal, within size limits.

Links and devices below /data are refused, not skipped, because data would silently be missing. Everything outside /data
belongs to the base image and is ignored. Whiteouts (deletions by a layer) are applied.
"""

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

import pyarrow as pa

FOLDER: Final = "data"
CHUNK: Final = 2**20
HEADER_MAX: Final = 2**20
"""Bytes of one extended header, which is read into memory; names and times need less than a thousandth of it."""
_HEADERS: Final = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_REMOVES: Final = ".wh."
_REMOVES_ALL: Final = ".wh..wh..opq"


class UnsafeArchive(Exception):
    """A layer is unreadable or contains an entry that must not be unpacked; the text names the entry."""


class SizeLimitExceeded(Exception):
    """The unpacked data exceeds a limit; the text has the limit."""


@dataclass
class Unpacking:
    """Unpacks all layers into one folder; `room` bytes and `files` files may still be written."""

    folder: Path
    room: int
    files: int
    wrote: Callable[[int], None]

    def layer(self, file: Path) -> None:
        """Applies one layer on top of the previous ones. Raises UnsafeArchive, SizeLimitExceeded, OSError (disk)."""
        with file.open("rb") as packed, _plain(packed) as stream:
            try:
                with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Bounded) as archive:
                    for member in archive:
                        self._member(archive, member)
            except (tarfile.TarError, zlib.error, EOFError, OSError, pa.ArrowException) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # of the disk; errors of gzip and zstd have no errno
                raise UnsafeArchive(f"a layer is not a tar archive, or is damaged: {error}") from error

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        place = data_path(member.name)
        if place is None or place == PurePosixPath():
            return
        target = self.folder / place
        if place.name.startswith(_REMOVES):
            _remove(target.parent if place.name == _REMOVES_ALL else target.with_name(place.name[len(_REMOVES) :]))
        elif member.isdir():
            _make_folder(target, self.folder)
        elif member.isreg():
            self._write(archive, member, target)
        else:
            raise UnsafeArchive(
                f"{member.name} is a link or a device; build the image with plain files below /{FOLDER}"
            )

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        self.files -= 1
        if self.files < 0:
            raise SizeLimitExceeded("it has more files than allowed")
        _make_folder(target.parent, self.folder)
        _remove(target)
        source = archive.extractfile(member)
        with target.open("xb") as written:
            while source and (chunk := source.read(CHUNK)):
                self.room -= len(chunk)
                if self.room < 0:
                    raise SizeLimitExceeded(f"the files up to {member.name} have more bytes than allowed")
                written.write(chunk)
                self.wrote(len(chunk))


def data_path(name: str) -> PurePosixPath | None:
    """Returns an entry's path below the data folder; None if not data. Raises UnsafeArchive for path traversal."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part for part in parts):
        raise UnsafeArchive(f"{name[:200]!r} points outside the image")
    return PurePosixPath(*parts[1:]) if parts and parts[0] == FOLDER else None


class _Bounded(tarfile.TarInfo):
    """Refuses oversized headers, because tarfile reads a header into memory as a whole.

    `_proc_member` is what tarfile's source names for overriding. `frombuf` is not enough: Python 3.11.2 as patched by
    Debian, which runs in the images, does not call it.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > HEADER_MAX:
            raise UnsafeArchive(f"a header has {self.size} bytes")
        read: Callable[[tarfile.TarFile], tarfile.TarInfo] = super()._proc_member  # type: ignore[misc]  # not in typeshed
        return read(archive)


def _plain(packed: IO[bytes]) -> IO[bytes]:
    """Decompresses the archive; detects the compression by the first bytes."""
    beginning = packed.read(4)
    packed.seek(0)
    if beginning.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if beginning == b"\x28\xb5\x2f\xfd":
        return cast(IO[bytes], pa.CompressedInputStream(packed, "zstd"))
    return packed


def _make_folder(folder: Path, top: Path) -> None:
    """Creates the folder, replacing a file of that name from a lower layer."""
    for parent in (folder, *folder.parents):
        if parent == top:
            break
        if parent.is_file():
            parent.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
