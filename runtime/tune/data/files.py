"""The digest of the files that are trained on; which files, and how they are read, is left to `runtime/rows`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from api.pods.data import data_digest
from runtime.rows.files import DataFile


def digest_of(files: Sequence[DataFile]) -> str:
    """Returns the sha256 over names and contents, as hex; equal to the one in the fetcher's manifest."""
    return data_digest((file.name, _sha256(file.path)) for file in files)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
