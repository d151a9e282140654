"""Finds the Kubernetes programs that a local stack runs, and their version.

KUBEBUILDER_ASSETS takes precedence; then what the user's cache has: a release, or the newest build. Otherwise
`releases.py` fetches them, and where the releases cannot be reached, `build.py` builds older ones. Flags that depend on
the version are chosen by their users, from `Binaries.minor`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deploy.local.kubernetes import build, releases
from deploy.local.layout import Layout

PROGRAMS = build.PROGRAMS
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"


class BinariesMissing(RuntimeError):
    """A Kubernetes program or etcd was not found; the message says where it was expected and what to do."""


@dataclass(frozen=True)
class Binaries:
    """A folder with the five Kubernetes programs, an etcd, and the minor version (20 for v1.20.2)."""

    folder: Path
    etcd: Path
    minor: int

    def path(self, program: str) -> str:
        return str(self.folder / program)


def ensure_binaries(layout: Layout, report: Callable[[str], None]) -> Binaries:
    """Returns the programs, fetched or built (8 minutes on 2 cores) if there are none. Raises BinariesMissing,
    ReleaseUnavailable, BuildFailed."""
    found = find_binaries(layout)
    if found is not None:
        return found
    if releases.offered():
        return described(releases.fetch(layout.cache, report))
    report("Kubernetes' releases cannot be reached: building Debian's version")
    return described(build.build(layout, report))


def find_binaries(layout: Layout) -> Binaries | None:
    """Returns the programs if they exist already. Raises BinariesMissing for a wrong KUBEBUILDER_ASSETS."""
    folder = assets_folder(os.environ) or kept(layout.cache)
    return described(folder) if folder else None


def require_binaries(layout: Layout) -> Binaries:
    """Returns the programs, which must exist by now. Raises BinariesMissing."""
    found = find_binaries(layout)
    if found is None:
        raise BinariesMissing(
            f"no Kubernetes programs in {layout.cache}: run `modelyard local up`, which gets them, "
            f"or set {ASSETS_VARIABLE} to a folder with {', '.join(PROGRAMS)}"
        )
    return found


def minor_to_come(cache: Path) -> int | None:
    """Returns the minor version of the programs that `ensure_binaries` will return, None if it will have to build some.
    Raises BinariesMissing, ReleaseUnavailable."""
    folder = assets_folder(os.environ) or kept(cache)
    if folder is not None:
        return _minor_of(folder)
    return minor_version(f"v{releases.CONTROL_PLANE}") if releases.offered() else None


def kept(cache: Path) -> Path | None:
    """Returns the folder of programs in the cache, if there is one."""
    return releases.released(cache) or build.newest_build(cache)


def assets_folder(environment: Mapping[str, str]) -> Path | None:
    """Returns the folder that the environment names, checked; None if it names none. Raises BinariesMissing."""
    value = environment.get(ASSETS_VARIABLE)
    if not value:
        return None
    folder = Path(value).expanduser()
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise BinariesMissing(
            f"{ASSETS_VARIABLE}={value} lacks {', '.join(missing)}: put them there, or unset it to have them fetched"
        )
    return folder


def described(folder: Path) -> Binaries:
    """Describes a folder of programs: its own etcd or the machine's, and the version that kube-apiserver reports."""
    own = folder / "etcd"
    found = str(own) if os.access(own, os.X_OK) else shutil.which("etcd")
    if found is None:
        raise BinariesMissing(f"there is no etcd in {folder} nor on PATH: install the package etcd-server")
    return Binaries(folder=folder, etcd=Path(found), minor=_minor_of(folder))


def minor_version(text: str) -> int:
    """Parses 20 from "Kubernetes v1.20.2". Raises BinariesMissing on anything else."""
    match = re.search(r"v1\.(\d+)\.", text)
    if match is None:
        raise BinariesMissing(f"not a Kubernetes 1.x version: {text.strip()!r}")
    return int(match.group(1))


@lru_cache
def _minor_of(folder: Path) -> int:
    argv = [str(folder / "kube-apiserver"), "--version"]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BinariesMissing(f"{argv[0]} does not run on this machine: {error}") from error
    return minor_version(answer.stdout)
