"""Marks and finds the checkpoints that a training may resume from; never one left incomplete by a lost pod.

A checkpoint is complete if it has its marker and every file has the size that the marker lists. Files are synced to
disk before the marker. Standard library only.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

MARKER = ".complete.json"
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint."""

    folder: Path
    step: int


def mark_complete(folder: Path, identity: str) -> None:
    """Writes the marker, last and by rename, after all files are synced to disk."""
    sizes = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER):
        _to_disk(file)
        sizes[str(file.relative_to(folder))] = file.stat().st_size
    partial = folder / f"{MARKER}.partial"
    partial.write_text(json.dumps({"identity": identity, "files": sizes}))
    _to_disk(partial)
    partial.rename(folder / MARKER)
    _to_disk(folder)
    _to_disk(folder.parent)


def is_complete(folder: Path, identity: str) -> bool:
    """Returns whether the folder is complete and belongs to this training."""
    try:
        marker = json.loads((folder / MARKER).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return False
    if not isinstance(marker, dict) or marker.get("identity") != identity:
        return False
    files: dict[str, int] = marker.get("files") or {}
    return bool(files) and all(_size(folder / name) == size for name, size in files.items())


def complete_checkpoints(parent: Path, identity: str) -> list[Checkpoint]:
    """Returns this training's checkpoints, newest last; not those of other settings, model or data."""
    found = [Checkpoint(folder, step) for folder, step in _folders(parent) if is_complete(folder, identity)]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def remove_unusable(parent: Path, identity: str) -> list[str]:
    """Removes incomplete and other trainings' checkpoints; returns the names of the removed folders."""
    kept = {checkpoint.folder for checkpoint in complete_checkpoints(parent, identity)}
    unusable = [folder for folder, _ in _folders(parent) if folder not in kept]
    for folder in unusable:
        _remove(folder)
    return sorted(folder.name for folder in unusable)


def remove_old(parent: Path, identity: str, *, keep: int, best: Path | None = None) -> None:
    """Keeps the newest `keep` complete checkpoints and the best one, if any; removes the others."""
    for checkpoint in complete_checkpoints(parent, identity)[: -max(1, keep)]:
        if best is None or checkpoint.folder.resolve() != best.resolve():
            _remove(checkpoint.folder)


def _remove(folder: Path) -> None:
    # The marker is removed first: a partly removed folder must not look complete.
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder)


def _folders(parent: Path) -> list[tuple[Path, int]]:
    if not parent.is_dir():
        return []
    matches = [(entry, _NAME.fullmatch(entry.name)) for entry in parent.iterdir() if entry.is_dir()]
    return [(entry, int(match[1])) for entry, match in matches if match]


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
