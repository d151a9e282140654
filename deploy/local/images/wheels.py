"""Downloads the pinned packages of the runtime once per user, for the environment on this machine and for the images.

Package sources are pip's own configuration; only torch's CPU build may need another, which `torch_build.py` finds.
constraints/ lists the packages; `runtime_env.py` and `images.py` install them.
"""

import fcntl
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import run_logged
from deploy.local.layout import REPOSITORY, Report

CONSTRAINTS = REPOSITORY / "constraints"
CONTROL_PLANE = CONSTRAINTS / "control-plane-image.txt"
SERVING = CONSTRAINTS / "runtime-cpu.txt"
TUNING = CONSTRAINTS / "tuning-cpu.txt"
FETCHING = CONSTRAINTS / "fetch.txt"
DEVICE_PLUGIN = CONSTRAINTS / "device-plugin.txt"
DATA = CONSTRAINTS / "data.txt"
# The Python of the image's base (Debian 12), for which the pins were resolved.
PYTHON = "3.11"
# 0.7 GB, 70 s measured with a near mirror; 2.9 GB with torch for GPUs.
DOWNLOAD_DEADLINE_S = 3600.0
FIX = "pip must reach a package index"


@dataclass(frozen=True)
class Pins:
    """A list of pinned packages, and the options that pip needs beside its own configuration to find them."""

    file: Path
    options: tuple[str, ...] = ()


def ensure_wheels(cache: Path, pins: Sequence[Pins], log: Path, report: Report) -> Path:
    """Returns the folder with every wheel that the pinned lists name. Raises CommandFailed with pip's output."""
    folder = folder_of_wheels(cache) / f"py{PYTHON}"
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder / ".lock", lambda: report("waiting for another download of the runtime's packages")):
        for pin in pins:
            stamp = folder / f".{pin.file.stem}-{digest_of(pin.file)}"
            if stamp.exists():
                continue
            report(f"downloading the packages of {pin.file.name}")
            run_logged(download_command(folder, pin), log, deadline_s=DOWNLOAD_DEADLINE_S, fix=FIX)
            stamp.touch()
    return folder


def folder_of_wheels(cache: Path) -> Path:
    """Returns where all of them are."""
    return cache / "wheels"


def download_command(folder: Path, pins: Pins) -> list[str]:
    """Returns pip's arguments. Dependencies are not followed: the lists are complete, and omissions are intended."""
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
        *("--only-binary=:all:", "--python-version", PYTHON, "--dest", str(folder), "--requirement", str(pins.file)),
        *pins.options,
    ]


def digest_of(*files: Path) -> str:
    """Returns 16 hex digits over the names and contents of files, in the order given."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def one_at_a_time(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds an exclusive lock on a file; calls `waiting` if another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
