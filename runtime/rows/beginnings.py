"""Tells by its first bytes what a file is that is not what its name says, and what to do about it. Pure."""

from collections.abc import Mapping
from typing import Final

BEGINNING: Final = 512
"""Bytes that are looked at."""
_UNPACK: Final = "unpack it and give the plain file"
_PACKED: Final[Mapping[bytes, str]] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "7z",
    b"\x04\x22\x4d\x18": "lz4",
}
_COLUMNS: Final[Mapping[bytes, str]] = {b"PAR1": ".parquet", b"ARROW1": ".arrow"}
_POINTER: Final = b"version https://git-lfs.github.com/spec/"


def problem_of(beginning: bytes, ending: str) -> str:
    """Returns what is wrong with a file of this ending that begins so, and the fix; empty if nothing is known."""
    if beginning.startswith(_POINTER):
        return (
            "it is a pointer of Git LFS and not the file itself: run git lfs pull, or link to the file, "
            "on Hugging Face with /resolve/"
        )
    for start, name in _PACKED.items():
        if beginning.startswith(start):
            return f"it is compressed with {name}: {_UNPACK}"
    if beginning.startswith(b"PK\x03\x04"):
        return f"it is a zip archive or a spreadsheet: {_UNPACK}, a spreadsheet as csv"
    for start, right in _COLUMNS.items():
        if beginning.startswith(start) and ending != right:
            return f"its content is that of {right[1:]}: let its name end with {right}"
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")) and ending not in _COLUMNS.values():
        return "it is text in UTF-16: save it as UTF-8"
    return ""
