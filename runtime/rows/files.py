"""Selects the files to train on: every file below the data folder with a known ending, sorted by name.

Left alone are hidden files and folders, the fetcher's manifest, and what other programs write beside data. Reading the
files is left to `reading.py`.
"""

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.configs.mounted_paths import DATA
from api.configs.training_sections import DatasetConfig
from api.pods.data import MANIFEST_FILE
from api.pods.training_rows import FORMATS, is_known
from runtime.pod.exit import Failure
from runtime.rows import json_rows
from runtime.rows.beginnings import BEGINNING
from runtime.rows.failures import EMPTY, NOT_FOUND

_BESIDE_ARROW: Final = ("dataset_info.json", "state.json", "cache-*.arrow", "indices*.arrow")
"""What `save_to_disk` of the datasets library writes beside the rows."""
_BESIDE: Final = ("dataset_infos.json", "dataset_dict.json")
_NO_DATA: Final = ("*.md", "*.py", "*.y*ml", "LICENSE*", "README*", "_SUCCESS")
"""Files that nobody takes for rows."""
SHOWN: Final = 5


@dataclass(frozen=True)
class DataFile:
    """One file, its name below the data folder, and the ending of the format it is read as."""

    path: Path
    name: str
    ending: str


@dataclass(frozen=True)
class Selection:
    """The files to train on, and in words what was left alone that could be meant."""

    files: list[DataFile]
    left_out: list[str]


def selection(top: Path, dataset: DatasetConfig) -> Selection:
    """Returns what is read of a folder. Raises Failure if there is nothing to train on."""
    wanted = _wanted(top, dataset.dataset_path)
    asked = f".{dataset.dataset_extension}" if dataset.dataset_extension else ""
    if not wanted.exists():
        raise Failure(NOT_FOUND, f"{wanted} does not exist")
    if wanted.is_file():
        ending = asked or wanted.suffix.lower()
        found, left_out = [DataFile(wanted, _name(wanted, top), ending)] if ending in FORMATS else [], list[str]()
    else:
        there = sorted(_below(wanted))
        found = [DataFile(path, _name(path, top), path.suffix.lower()) for path in there if _is_data(path, asked)]
        if len(found) > 1:
            found = [file for file in found if not _is_settings(file, dataset)] or found
        left_out = [] if asked else _told(top, there, {file.path for file in found})
    if not found:
        raise Failure(EMPTY, f"{_what(wanted)}; files to train on end with {', '.join(FORMATS)}")
    return Selection(found, left_out)


def data_files(top: Path, dataset: DatasetConfig) -> list[DataFile]:
    """Returns the files to train on, in order. Raises Failure if there are none."""
    return selection(top, dataset).files


def _wanted(top: Path, dataset_path: str | None) -> Path:
    """Resolves `dataset_path`, a path in the training pod; the data folder may be mounted elsewhere."""
    if dataset_path is None:
        return top
    path = Path(dataset_path)
    return top / path.relative_to(DATA) if path.is_relative_to(DATA) else path


def _name(path: Path, top: Path) -> str:
    return str(path.relative_to(top)) if path.is_relative_to(top) else str(path)


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        manifest = path.name == MANIFEST_FILE or path.name.endswith(f".{MANIFEST_FILE}")
        if path.is_file() and not hidden and not manifest:
            yield path


def _is_data(path: Path, asked: str) -> bool:
    ending = path.suffix.lower()
    beside = (*_BESIDE, *_BESIDE_ARROW) if _is_saved(path.parent) else _BESIDE
    return ending in FORMATS and ending == (asked or ending) and not _fits(path, beside)


def _fits(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path.name, pattern) for pattern in patterns)


def _is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` has written this folder."""
    return (folder / "state.json").is_file() and next(folder.glob("*.arrow"), None) is not None


def _is_settings(file: DataFile, dataset: DatasetConfig) -> bool:
    """Whether a file is one object of JSON without any known column and without a list of objects: settings of some
    program, as a config.json beside the data. What cannot be read is no such file, so that its reader tells why."""
    if file.ending != ".json":
        return False
    try:
        with file.path.open(encoding="utf-8-sig") as text:
            if not text.read(BEGINNING).lstrip().startswith("{"):
                return False
        values = json_rows.rows_of(file.path)
        (first, _), more = next(values, (None, 0)), next(values, None)
    except (ValueError, RecursionError, MemoryError, OSError):
        return False
    if more is not None or not isinstance(first, dict) or any(is_known(name, dataset) for name in first):
        return False
    lists = [value for value in first.values() if isinstance(value, list)]
    return not any(isinstance(entry, dict) for entries in lists for entry in entries)


def _told(top: Path, there: list[Path], used: set[Path]) -> list[str]:
    others = [path for path in there if path not in used and not _fits(path, _NO_DATA)]
    known = [_name(path, top) for path in others if path.suffix.lower() in FORMATS]
    unknown = [_name(path, top) for path in others if path.suffix.lower() not in FORMATS]
    words = [f"not read, because they describe other files: {_some(known)}"] if known else []
    why = f"not read, because their names end with none of {', '.join(FORMATS)}"
    return [*words, f"{why}: {_some(unknown)}"] if unknown else words


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _what(wanted: Path) -> str:
    if wanted.is_file():
        return f"{wanted} has an unknown format: name it in DatasetConfig.dataset_extension"
    names = sorted(path.name for path in wanted.iterdir())
    return f"{wanted} holds no data file ({', '.join(names[:10]) or 'it is empty'})"
