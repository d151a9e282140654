"""The repositories on disk and their content: `<root>/<models|datasets>/<owner>/<name>/<branch>/<files>`.

A branch is a folder; a symbolic link beside it is an alias. Ids are computed from content (`git_objects.py`), once per
state of the files, and again when a file changes. `access.py` controls access.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local.mirror.git_objects import Blob, commit_id, header, is_large, object_id, pointer, tree_ids

Kind = Literal["models", "datasets"]
KINDS: tuple[Kind, ...] = ("models", "datasets")
DEFAULT_BRANCH = "main"
READ_BYTES = 1024 * 1024
# The format allows headers of up to 100 MB; one of ours is a few kilobytes.
SAFETENSORS_HEADER_BYTES = 25_000_000

Stamp = tuple[tuple[str, int, int, int], ...]


class RepositoryNotFound(LookupError):
    """The repository does not exist."""


class RevisionNotFound(LookupError):
    """The repository does not have this branch or commit."""


class EntryNotFound(LookupError):
    """The revision does not have this file or folder; `commit` is that revision's."""

    def __init__(self, repo: str, commit: str, path: str) -> None:
        super().__init__(f"{repo} has nothing at {path!r} in {commit}")
        self.commit = commit


@dataclass(frozen=True)
class Revision:
    """One state of a repository: its commit, and its files and folders with their git ids."""

    kind: Kind
    repo: str
    commit: str
    folder: Path
    blobs: dict[str, Blob]
    trees: dict[str, str]

    def blob(self, path: str) -> Blob:
        """Raises EntryNotFound."""
        try:
            return self.blobs[path]
        except KeyError:
            raise EntryNotFound(self.repo, self.commit, path) from None

    def file(self, path: str) -> Path:
        """Returns the file's location. Only paths found by listing the folder exist, so none leads out of it."""
        self.blob(path)
        return self.folder / path


class Store:
    """Reads repositories below one root. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, tuple[Stamp, Revision]] = {}
        self._lock = threading.Lock()

    def repositories(self) -> list[tuple[Kind, str]]:
        return [(kind, f"{d.parent.name}/{d.name}") for kind in KINDS for d in sorted((self._root / kind).glob("*/*"))]

    def branches(self, kind: Kind, repo: str) -> dict[str, Revision]:
        """Returns every branch by name. Raises RepositoryNotFound."""
        if (kind, repo) not in self.repositories():
            raise RepositoryNotFound(f"no {kind} repository {repo!r} below {self._root}")
        folder = self._root / kind / repo
        return {d.name: self._read(kind, repo, d.resolve()) for d in sorted(folder.iterdir()) if d.is_dir()}

    def revision(self, kind: Kind, repo: str, name: str) -> Revision:
        """Returns the revision of a branch or commit. Raises RepositoryNotFound, RevisionNotFound."""
        branches = self.branches(kind, repo)
        for branch, revision in branches.items():
            if name in (branch, f"refs/heads/{branch}", revision.commit):
                return revision
        raise RevisionNotFound(f"{repo} has no revision {name!r}; its branches are {', '.join(branches) or 'none'}")

    def _read(self, kind: Kind, repo: str, folder: Path) -> Revision:
        with self._lock:  # the first reader of a large repository computes its ids, the others wait for them
            stamp = _stamp(folder)
            known = self._known.get(folder)
            if known is None or known[0] != stamp:
                known = (stamp, _read_revision(kind, repo, folder, stamp))
                self._known[folder] = known
            return known[1]


def parameters(revision: Revision) -> dict[str, int]:
    """Returns the number of parameters by type in the revision's safetensors files, from their headers alone."""
    counts: dict[str, int] = {}
    for path in revision.blobs:
        if path.endswith(".safetensors"):
            for tensor in _tensors(revision.file(path)):
                counts[tensor[0]] = counts.get(tensor[0], 0) + tensor[1]
    return counts


def _stamp(folder: Path) -> Stamp:
    found = []
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                found.append((path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(sorted(found))


def _read_revision(kind: Kind, repo: str, folder: Path, stamp: Stamp) -> Revision:
    blobs = {path: _read_blob(folder / path, path) for path, *_ in stamp}
    trees = tree_ids(blobs)
    return Revision(kind, repo, commit_id(trees[""]), folder, blobs, trees)


def _read_blob(file: Path, path: str) -> Blob:
    size = file.stat().st_size
    git, content = hashlib.sha1(header("blob", size), usedforsecurity=False), hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(READ_BYTES):
            git.update(chunk)
            content.update(chunk)
    sha256, large = content.hexdigest(), is_large(path, size)
    return Blob(object_id("blob", pointer(sha256, size)) if large else git.hexdigest(), size, sha256, large)


def _tensors(file: Path) -> Iterator[tuple[str, int]]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > SAFETENSORS_HEADER_BYTES:
            raise ValueError(f"{file.name} is not a safetensors file: its header has {length} bytes")
        described = json.loads(stream.read(length))
    for name, tensor in described.items():
        if name != "__metadata__":
            count = 1
            for dimension in tensor["shape"]:
                count *= dimension
            yield tensor["dtype"], count
