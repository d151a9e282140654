"""Chooses the build of torch that the runtime is installed with: the CPU wheel if pip finds one, else the index's own.

It queries pip source by source and caches the choice per user, because the environment, the images and the settings
that name images must agree. `wheels.py` downloads.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deploy.local.host.commands import CommandFailed, output_of
from deploy.local.images.wheels import CONSTRAINTS, PYTHON, Pins, one_at_a_time
from deploy.local.layout import Report

INDEX_VARIABLE = "MODELYARD_TORCH_INDEX_URL"
CPU, INDEX, CUDA = "cpu", "index", "cuda"
"""The builds, as in the names of constraints/torch-*.txt and in the Containerfile's argument TORCH."""
VERSION = "2.13.0"
CPU_VERSION = f"{VERSION}+cpu"
PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# A list of versions is a small page: an unreachable index must not delay what follows.
QUICK = ("--timeout", "5", "--retries", "0")
QUICK_S = 20.0
SAYS_WHERE = re.compile(r"\b(index-url|extra-index-url|find-links|no-index|proxy)$")
# pip's own timeout, for indexes that the user has configured.
ANSWER_S = 600.0
CONFIGURED, NAMED, PYTORCH = "pip's configuration", f"the index that {INDEX_VARIABLE} names", "PyTorch's CPU index"
TO_HAVE_IT = f"add a find-links folder with it to pip's configuration, or set {INDEX_VARIABLE} to an index that has it"


class TorchUnavailable(RuntimeError):
    """pip finds no usable build of torch for the runtime; the message says where it searched and what to do."""


@dataclass(frozen=True)
class Torch:
    """A build of torch and the source that has it."""

    build: str
    place: str

    @property
    def pins(self) -> Pins:
        address = {NAMED: os.environ.get(INDEX_VARIABLE), PYTORCH: PYTORCH_INDEX}.get(self.place)
        return Pins(pins_file(self.build), ("--extra-index-url", address) if address else ())

    def __str__(self) -> str:
        if self.build == CPU:
            return f"torch {CPU_VERSION} from {self.place}"
        large = f"torch {VERSION} with its CUDA packages, 2.4 GB"
        return f"{large}: no CPU build (0.2 GB) was found; to have that, {TO_HAVE_IT}"


def pins_file(build: str) -> Path:
    return CONSTRAINTS / f"torch-{build}.txt"


def for_gpus() -> Torch:
    """Returns the build for images that compute on GPUs. Nothing is chosen: the list names each wheel by its hash."""
    return Torch(CUDA, CONFIGURED)


def torch_build(cache: Path, report: Report) -> Torch:
    """Returns the build of this user's runtime; queries pip if it is not cached. Raises TorchUnavailable."""
    with one_at_a_time(cache / ".torch-build.lock", lambda: report("waiting for pip to look for torch")):
        known = known_torch(cache)
        if known is None:
            report("asking pip for torch's CPU build")
            known = choose(_offers())
            remember(cache, known)
    return known


def known_torch(cache: Path) -> Torch | None:
    """Returns the cached choice; None without one, or if pip's configuration or the pins have changed since."""
    try:
        told = json.loads(_memory(cache).read_text())
    except FileNotFoundError:
        return None
    return Torch(told["build"], told["place"]) if told["key"] == _key() else None


def remember(cache: Path, torch: Torch) -> None:
    """Caches the choice for this user, until pip's configuration or the pins change."""
    told = {"key": _key(), "build": torch.build, "place": torch.place}
    _memory(cache).write_text(json.dumps(told))


def choose(offers: Mapping[str, Set[str]]) -> Torch:
    """Returns the best build of those found: versions of torch by the source that offers them. Raises TorchUnavailable.

    An index that the user has named must have the CPU build: installing the large one instead would be a surprise.
    """
    for place, versions in offers.items():
        if CPU_VERSION in versions:
            return Torch(CPU, place)
    if NAMED not in offers and any(VERSION in versions for versions in offers.values()):
        return Torch(INDEX, CONFIGURED)
    where = ", ".join(offers)
    raise TorchUnavailable(f"pip finds no torch {CPU_VERSION} for Python {PYTHON} in {where}\nFix: {TO_HAVE_IT}")


def versions_in(answer: str) -> frozenset[str]:
    """Returns the versions that `pip index versions` lists."""
    lists = (line.partition(":")[2] for line in answer.splitlines() if line.startswith("Available versions:"))
    return frozenset(version.strip() for listed in lists for version in listed.split(","))


def offered(options: tuple[str, ...] = (), deadline_s: float = ANSWER_S) -> frozenset[str]:
    """Returns the versions of torch that pip finds for the runtime's Python; none if it finds or reaches nothing."""
    pip = (sys.executable, "-m", "pip", "index", "versions", "torch", "--only-binary=:all:", "--python-version", PYTHON)
    try:
        return versions_in(output_of([*pip, *options], deadline_s=deadline_s))
    except CommandFailed:
        return frozenset()


def _offers() -> dict[str, frozenset[str]]:
    """Queries only as many sources as needed."""
    if named := os.environ.get(INDEX_VARIABLE):
        return {NAMED: offered(("--extra-index-url", named))}
    configured = {CONFIGURED: offered()}
    if CPU_VERSION in configured[CONFIGURED]:
        return configured
    return configured | {PYTORCH: offered(("--index-url", PYTORCH_INDEX, *QUICK), QUICK_S)}


def _memory(cache: Path) -> Path:
    return cache / "torch-build.json"


def _key() -> str:
    """Returns a hash of the choice's inputs."""
    digest = hashlib.sha256(f"{os.environ.get(INDEX_VARIABLE)}\0{_pip_configuration()}".encode())
    for build in (CPU, INDEX):
        digest.update(pins_file(build).read_bytes())
    return digest.hexdigest()


@lru_cache
def _pip_configuration() -> str:
    """Returns the settings that name package sources. They may contain passwords: hash them, never write them down."""
    lines = output_of([sys.executable, "-m", "pip", "config", "list"], deadline_s=ANSWER_S).splitlines()
    return "\n".join(sorted(line for line in lines if SAYS_WHERE.search(line.partition("=")[0])))
