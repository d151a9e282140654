"""Computes git's ids of files, folders and commits, so that revisions depend on content alone.

Pure functions from bytes or names to ids, as `git hash-object` and `git mktree` would compute them. Also decides which
files count as large (and are stored as pointers); `repository.py` reads the files.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

# The Hub keeps weights and tables in large-file storage (patterns of its default .gitattributes), and all over 10 MiB.
LARGE_SUFFIXES = frozenset({".arrow", ".bin", ".gguf", ".onnx", ".parquet", ".pt", ".pth", ".safetensors"})
LARGE_BYTES = 10 * 1024 * 1024

# A commit's id covers author and time; both are fixed, so that only content and title matter.
COMMIT_TIME_S = 1_735_689_600
COMMIT_DATE = "2025-01-01T00:00:00.000Z"
COMMIT_TITLE = "Publish"
_AUTHOR = "Modelyard <mirror@modelyard.invalid>"


@dataclass(frozen=True)
class Blob:
    """One file: its git id, size in bytes, sha256 of its content (its name in large-file storage when `large`)."""

    oid: str
    size: int
    sha256: str
    large: bool

    @property
    def etag(self) -> str:
        """The Hub's ETag of the file: the sha256 of a large file, the git id of any other."""
        return self.sha256 if self.large else self.oid

    @property
    def pointer_size(self) -> int:
        return len(pointer(self.sha256, self.size))


def is_large(path: str, size: int) -> bool:
    return size >= LARGE_BYTES or PurePosixPath(path).suffix in LARGE_SUFFIXES


def pointer(sha256: str, size: int) -> bytes:
    """Returns the text that git stores in place of a large file (git-lfs specification, version 1)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def object_id(kind: str, content: bytes) -> str:
    return hashlib.sha1(header(kind, len(content)) + content, usedforsecurity=False).hexdigest()


def header(kind: str, size: int) -> bytes:
    return f"{kind} {size}\0".encode()


def tree_ids(blobs: Mapping[str, Blob]) -> dict[str, str]:
    """Returns git's id of every folder of a repository, from its files by path. The root's key is the empty string."""
    folders: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path in blobs:
        for parent in list(PurePosixPath(path).parents)[:-1]:
            folders.setdefault(str(parent), {})
    for path, blob in blobs.items():
        folder, _, name = path.rpartition("/")
        folders[folder][name] = ("100644", blob.oid)
    ids: dict[str, str] = {}
    for folder in sorted(folders, key=_depth, reverse=True):
        ids[folder] = object_id("tree", _tree_content(folders[folder]))
        if folder:
            above, _, name = folder.rpartition("/")
            folders[above][name] = ("40000", ids[folder])
    return ids


def commit_id(tree: str) -> str:
    """Returns the id of a parentless commit of this tree."""
    signature = f"{_AUTHOR} {COMMIT_TIME_S} +0000"
    return object_id("commit", f"tree {tree}\nauthor {signature}\ncommitter {signature}\n\n{COMMIT_TITLE}\n".encode())


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def _tree_content(entries: Mapping[str, tuple[str, str]]) -> bytes:
    # Git sorts a folder as if its name ended in "/".
    names = sorted(entries, key=lambda name: name + "/" if entries[name][0] == "40000" else name)
    return b"".join(f"{entries[name][0]} {name}\0".encode() + bytes.fromhex(entries[name][1]) for name in names)
