"""Which checkpoints may be gone on from. One that was being written when the pod was lost is never used.

A checkpoint is complete when its marker is there and every file that the marker lists has the size it lists. Files
reach the disk before the marker does. Standard library only.
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
    """A complete one."""

    folder: Path
    step: int


def mark_complete(folder: Path, identity: str) -> None:
    """Writes the marker, last and by rename, after all files have reached the disk."""
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
    """Whether everything that was to be in the folder is there, and of this training."""
    try:
        told = json.loads((folder / MARKER).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    if not isinstance(told, dict) or told.get("identity") != identity:
        return False
    files: dict[str, int] = told.get("files") or {}
    return bool(files) and all(_size(folder / name) == size for name, size in files.items())


def complete_checkpoints(parent: Path, identity: str) -> list[Checkpoint]:
    """Those of this training, the newest last. A checkpoint of other settings, model or data is none."""
    found = [Checkpoint(folder, step) for folder, step in _folders(parent) if is_complete(folder, identity)]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def remove_unusable(parent: Path, identity: str) -> list[str]:
    """Removes what is not complete or not of this training; the names of the folders removed."""
    kept = {checkpoint.folder for checkpoint in complete_checkpoints(parent, identity)}
    unusable = [folder for folder, _ in _folders(parent) if folder not in kept]
    for folder in unusable:
        _remove(folder)
    return sorted(folder.name for folder in unusable)


def remove_old(parent: Path, identity: str, *, keep: int, best: Path | None = None) -> None:
    """Leaves the newest `keep` complete checkpoints, and the best one where there is one."""
    for checkpoint in complete_checkpoints(parent, identity)[: -max(1, keep)]:
        if best is None or checkpoint.folder.resolve() != best.resolve():
            _remove(checkpoint.folder)


def _remove(folder: Path) -> None:
    # Without its marker first: a folder that is half removed must not look complete.
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
