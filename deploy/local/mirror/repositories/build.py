"""Builds missing repositories, once per machine; `catalog.py` says which and how.

A repository is built in a folder beside its place and then moved there, so an interrupted build leaves nothing
half-made, and finished ones stay. A recipe whose program or inputs changed is built again. Programs of the runtime
environment (torch, pyarrow) do the building; this file only runs them. A lock keeps two stacks from building at once.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import run_logged
from deploy.local.mirror.repository import DEFAULT_BRANCH, Kind

Report = Callable[[str], None]

# Measured: 37 s for the longest on one idle core. A starting stack keeps both cores busy with other builds.
BUILD_DEADLINE_S = 900.0


class BuildRefused(RuntimeError):
    """A repository cannot be built in this environment; the message says what to do."""


@dataclass(frozen=True)
class Folders:
    """The folders: finished repositories, builds in progress, downloads, the log."""

    top: Path

    @property
    def repositories(self) -> Path:
        return self.top / "repositories"

    @property
    def building(self) -> Path:
        return self.top / "building"

    @property
    def downloads(self) -> Path:
        return self.top / "downloads"

    @property
    def log(self) -> Path:
        return self.top / "build.log"

    def files(self, kind: Kind, repo: str) -> Path:
        """Returns the folder of a finished repository's files."""
        return self.repositories / kind / repo / DEFAULT_BRANCH


@dataclass(frozen=True)
class Recipe:
    """How one repository is built: runs `programs[0]` with the arguments and `--out FOLDER`; it depends on the others.

    `prepare` fetches what the program needs first; `inputs` identifies it (a checksum), so that a change is noticed.
    """

    kind: Kind
    repo: str
    programs: tuple[Path, ...]
    arguments: Callable[[Folders], list[str]] = lambda folders: []
    prepare: Callable[[Folders, Report], None] = lambda folders, report: None
    inputs: str = ""

    def fingerprint(self) -> str:
        """Returns a hash that changes whenever the repository would be built differently."""
        sources = b"".join(program.read_bytes() for program in self.programs)
        return hashlib.sha256(sources + self.inputs.encode()).hexdigest()


def missing(folders: Folders, recipes: Sequence[Recipe]) -> list[Recipe]:
    """Returns the recipes whose repository is missing, or was built by an older version of the recipe."""
    return [recipe for recipe in recipes if not _is_current(folders, recipe)]


def build_missing(folders: Folders, recipes: Sequence[Recipe], report: Report, *, python: Path) -> None:
    """Builds the `missing` ones, in the order given. Raises BuildRefused, CommandFailed."""
    with _lock(folders.top):
        for recipe in missing(folders, recipes):
            if not python.exists():
                raise BuildRefused(f"{recipe.repo} is built by {python}, which is missing: make that environment first")
            recipe.prepare(folders, report)
            report(f"building {recipe.repo}")
            _build(folders, recipe, python)


def _is_current(folders: Folders, recipe: Recipe) -> bool:
    files = folders.files(recipe.kind, recipe.repo)
    stamp = files.parent / "recipe"
    return files.is_dir() and stamp.is_file() and stamp.read_text() == recipe.fingerprint()


def _build(folders: Folders, recipe: Recipe, python: Path) -> None:
    building = folders.building / recipe.kind / recipe.repo
    _remove(building)  # left by an interrupted build
    building.mkdir(parents=True)
    program = [str(python), str(recipe.programs[0]), *recipe.arguments(folders)]
    run_logged(
        [*program, "--out", str(building / DEFAULT_BRANCH)],
        folders.log,
        deadline_s=BUILD_DEADLINE_S,
        # Building downloads nothing from a hub, and progress bars would clutter the log.
        env={"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"},
    )
    for file in building.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    (building / "recipe").write_text(recipe.fingerprint())
    _move_into_place(building, folders.files(recipe.kind, recipe.repo).parent)


def _move_into_place(building: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    old = building.with_name(building.name + ".old")
    _remove(old)
    if place.exists():
        place.rename(old)
    building.rename(place)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
