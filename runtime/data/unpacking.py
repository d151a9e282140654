"""Unpacks layers of an untrusted image: only plain files below /data, without path traversal, within size limits.

Links and devices below /data are refused, not skipped, because data would silently be missing. Everything outside /data
belongs to the base image and is ignored. Whiteouts (deletions by a layer) are applied as the OCI image specification
has them: to lower layers only. Sparse files are refused, as it recommends: their maps cost more memory than the layer.
"""

import shutil
import tarfile
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import pyarrow as pa

from runtime.data.archives import Archive, Bounded, UnsafeArchive, plain

FOLDER: Final = "data"
CHUNK: Final = 2**20
PATH_MAX: Final = 1024
"""Characters of an entry's name; it has at most PARTS_MAX parts of NAME_MAX bytes each, as file systems have it."""
PARTS_MAX: Final = 100
NAME_MAX: Final = 255
_REMOVES: Final = ".wh."
_REMOVES_ALL: Final = ".wh..wh..opq"
_RESERVED: Final = ".wh..wh."
"""Of the file system that whiteouts come from; image builders leave such entries out."""


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
        own: set[Path] = set()
        with file.open("rb") as packed, plain(packed) as stream:
            try:
                with Archive.open(fileobj=stream, mode="r|", tarinfo=Bounded) as archive:
                    while member := archive.next():
                        self._member(archive, member, own)
                        archive.forget()
            except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, pa.ArrowException) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # of the disk; errors of gzip and zstd have no errno
                raise UnsafeArchive(f"a layer is not a tar archive, or is damaged: {error}") from error
            except (RecursionError, MemoryError) as error:
                raise UnsafeArchive(f"a layer needs more memory than there is ({type(error).__name__})") from None

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo, own: set[Path]) -> None:
        """`own`: what this layer has written, which none of its whiteouts is about."""
        if _parts(member.name) in ([f"{_REMOVES}{FOLDER}"], [_REMOVES_ALL]):
            # Of /data itself, or of all that lower layers have.
            for entry in list(self.folder.iterdir()):
                _remove_below(entry, own)
            return
        place = data_path(member.name)
        if place is None:
            return
        target = self.folder / place
        if place == PurePosixPath():
            if not member.isdir():
                raise UnsafeArchive(f"/{FOLDER} is no folder in one of its layers; build the image with a plain folder")
        elif place.name.startswith(_REMOVES):
            _make_way(target.parent, self.folder, own)
            for hidden in _hidden(target):
                _remove_below(hidden, own)
        elif member.isdir():
            self._count()
            _make_folder(target, self.folder)
            own.add(target)
        elif member.isreg():
            self._write(archive, member, target)
            own.add(target)
        else:
            raise UnsafeArchive(
                f"{member.name} is a link or a device; build the image with plain files below /{FOLDER}"
            )

    def _count(self) -> None:
        self.files -= 1
        if self.files < 0:
            raise SizeLimitExceeded("it has more files than allowed")

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        self._count()
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
    parts = _parts(name)
    if ".." in parts or any("\0" in part for part in parts):
        raise UnsafeArchive(f"{name[:200]!r} points outside the image")
    if not parts or parts[0] != FOLDER:
        return None
    longest = max(len(part.encode(errors="surrogateescape")) for part in parts)
    if len(name) > PATH_MAX or len(parts) > PARTS_MAX or longest > NAME_MAX:
        raise UnsafeArchive(f"{name[:200]!r} is longer than names may be")
    return PurePosixPath(*parts[1:])


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _hidden(whiteout: Path) -> list[Path]:
    """What a whiteout hides: one name, or all in its folder; nothing for a reserved name. Raises UnsafeArchive for a
    name that is none: the folder itself or the one above."""
    if whiteout.name == _REMOVES_ALL:
        return list(whiteout.parent.iterdir()) if whiteout.parent.is_dir() else []
    name = whiteout.name.removeprefix(_REMOVES)
    if name in ("", ".", ".."):
        raise UnsafeArchive(f"{whiteout.name!r} names nothing that a layer may remove")
    return [] if whiteout.name.startswith(_RESERVED) else [whiteout.with_name(name)]


def _make_way(folder: Path, top: Path, own: Collection[Path]) -> None:
    """Removes files of lower layers where this layer has folders."""
    for parent in (folder, *folder.parents):
        if parent == top:
            break
        if parent.is_file() and parent not in own:
            parent.unlink()


def _make_folder(folder: Path, top: Path) -> None:
    """Creates the folder, replacing a file of that name from a lower layer."""
    for parent in (folder, *folder.parents):
        if parent == top:
            break
        if parent.is_file():
            parent.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _remove_below(path: Path, own: Collection[Path]) -> None:
    """Removes what lower layers have put here."""
    if path.is_dir():
        for child in path.iterdir():
            _remove_below(child, own)
        if path not in own and not any(path.iterdir()):
            path.rmdir()
    elif path not in own:
        path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
