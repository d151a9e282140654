"""Selects the files to train on: every file below the data folder with a known ending, sorted by name.

Excludes hidden files and folders, and the fetcher's manifest (`manifest.json`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api.configs.mounted_paths import DATA
from api.configs.training_sections import DatasetConfig
from api.pods.data import MANIFEST_FILE, data_digest
from api.pods.training_rows import FORMATS
from runtime.pod.exit import Failure
from runtime.tune.failures import DATA_EMPTY

_ENDINGS = {"csv": ".csv", "json": ".json", "jsonl": ".jsonl", "parquet": ".parquet", "arrow": ".arrow"}


@dataclass(frozen=True)
class DataFile:
    """One file, its display name, and the loader that reads it."""

    path: Path
    name: str
    loader: str


def data_files(folder: Path, config: DatasetConfig) -> list[DataFile]:
    """Returns the files to train on. Raises Failure if there are none."""
    wanted = _wanted(folder, config.dataset_path)
    asked = config.dataset_extension
    if wanted.is_file():
        loader = FORMATS.get(_ENDINGS.get(asked or "", wanted.suffix.lower()))
        found = [DataFile(wanted, wanted.name, loader)] if loader else []
    else:
        found = [file for file in _below(wanted) if asked is None or file.path.suffix.lower() == _ENDINGS.get(asked)]
    if not found:
        raise Failure(DATA_EMPTY, f"{_what(wanted)}; files to train on end with {', '.join(FORMATS)}")
    return found


def digest_of(files: Sequence[DataFile]) -> str:
    """Returns the sha256 over names and contents, as hex; equal to the one in the fetcher's manifest."""
    return data_digest((file.name, _sha256(file.path)) for file in files)


def _wanted(folder: Path, dataset_path: str | None) -> Path:
    """Resolves `dataset_path`, a path in the training pod; the data folder may be mounted elsewhere."""
    if dataset_path is None:
        return folder
    path = Path(dataset_path)
    return folder / path.relative_to(DATA) if path.is_relative_to(DATA) else path


def _below(folder: Path) -> list[DataFile]:
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        loader = FORMATS.get(path.suffix.lower())
        if loader and path.is_file() and not hidden and not _is_manifest(path):
            found.append(DataFile(path, str(name), loader))
    return found


def _is_manifest(path: Path) -> bool:
    return path.name == MANIFEST_FILE


def _what(wanted: Path) -> str:
    if not wanted.exists():
        return f"{wanted} does not exist"
    if wanted.is_file():
        return f"{wanted} has an unknown format"
    names = sorted(path.name for path in wanted.iterdir())
    return f"{wanted} holds no data file ({', '.join(names[:10]) or 'it is empty'})"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
