"""Builds .venv-runtime: the Python environment in which models are served and tuned on this machine.

It is separate from the control plane's because their pins conflict (vLLM wants an older FastAPI). It replaces the
runtime image in tests and on a laptop, so it is installed from the same lists. The packages (2.9 GB; 6 GB with torch
for GPUs) are installed once per user into the cache; the checkout's environment refers to them and adds only our own
code. `torch_build.py` chooses the build of torch.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.host.commands import run_logged
from deploy.local.images.torch_build import INDEX, TO_HAVE_IT, Torch, torch_build
from deploy.local.images.wheels import PYTHON, SERVING, TUNING, Pins, digest_of, ensure_wheels, one_at_a_time
from deploy.local.layout import REPOSITORY, Layout, Report

ENVIRONMENT = REPOSITORY / ".venv-runtime"
DISTRIBUTION = REPOSITORY / "runtime"
PYTHON_PROGRAM = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / ".installed"
LIBRARY = Path("lib") / f"python{PYTHON}" / "site-packages"
POINTER = ENVIRONMENT / LIBRARY / "modelyard-runtime-packages.pth"
PIP = ("-m", "pip", "--quiet", "install", "--no-index", "--no-deps")
CACHE_PREFIX = "runtime-packages-"
# 2.9 GB of small files; 130 s measured on 2 busy cores.
INSTALL_DEADLINE_S = 1800.0
# Creating an environment took more than two minutes on a machine with a load of ten times its cores.
PYTHON_DEADLINE_S = 600.0


# With torch for GPUs: packages 3, this environment 6, the images of a served model while they are built and pushed 23,
# unpacked on a node 8; 35 at the peak of `make demo`, measured. Images of trainings come on top.
LARGE_GIB = 45
GIB = 1 << 30


class RuntimeUnavailable(RuntimeError):
    """This machine cannot run the pinned packages, or has no room for them; the message says what to change."""


def ensure_runtime_venv(cache: Path, log: Path, report: Report) -> Path:
    """Returns the environment's Python, after installing what changed. Raises RuntimeUnavailable, CommandFailed,
    TorchUnavailable."""
    torch = torch_build(cache, report)
    packages = cache / f"{CACHE_PREFIX}{digest_of(SERVING, torch.pins.file, TUNING)}"
    with one_at_a_time(cache / ".runtime-environment.lock", lambda: report("waiting for another installation")):
        _ensure(packages / ".installed", PYTHON, lambda: _install_packages(packages, torch, cache, log, report))
        _ensure(STAMP, f"{packages} {digest_of(DISTRIBUTION / 'pyproject.toml')}", lambda: _install_ours(packages, log))
    return PYTHON_PROGRAM


def _ensure(stamp: Path, wanted: str, install: Callable[[], None]) -> None:
    """Writes the stamp last, so that an interrupted installation starts again from scratch."""
    if not stamp.exists() or stamp.read_text() != wanted:
        install()
        stamp.write_text(wanted)


def check_python(version: tuple[int, int]) -> None:
    """Raises RuntimeUnavailable unless the pins were resolved for this version of Python."""
    found = ".".join(str(part) for part in version)
    if found != PYTHON:
        raise RuntimeUnavailable(f"the runtime's pins are for Python {PYTHON}, this is {found}: use python{PYTHON}")


def check_disk(torch: Torch, cache: Path, free_bytes: int) -> None:
    """Raises RuntimeUnavailable if what is made of torch for GPUs would not fit; the CPU build was checked before."""
    if torch.build == INDEX and free_bytes < LARGE_GIB * GIB:
        raise RuntimeUnavailable(
            f"{cache} has {free_bytes / GIB:.1f} GiB free, and {LARGE_GIB} GiB are needed with torch for GPUs, "
            "which is the only build that pip found.\nFix: free some, put the cache elsewhere with XDG_CACHE_HOME, or, "
            f"for the CPU build, {TO_HAVE_IT}"
        )


def _install_packages(packages: Path, torch: Torch, cache: Path, log: Path, report: Report) -> None:
    check_python(sys.version_info[:2])
    check_disk(torch, cache, shutil.disk_usage(cache).free)
    report(str(torch))
    lists = (Pins(SERVING), torch.pins, Pins(TUNING))
    wheels = ensure_wheels(cache, lists, log, report)
    report(f"installing vLLM, PyTorch and the tuning packages into {packages}")
    shutil.rmtree(packages, ignore_errors=True)
    run_logged([sys.executable, "-m", "venv", str(packages)], log, deadline_s=PYTHON_DEADLINE_S)
    pins = ["--find-links", str(wheels), *(word for pins in lists for word in ("--requirement", str(pins.file)))]
    python = str(packages / "bin" / "python")
    run_logged([python, *PIP, *pins], log, deadline_s=INSTALL_DEADLINE_S, fix="see pip's output above")


def _install_ours(packages: Path, log: Path) -> None:
    check_python(sys.version_info[:2])
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    # Without its own pip it uses the packages' pip and setuptools, which are the pinned ones.
    run_logged([sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT)], log, deadline_s=PYTHON_DEADLINE_S)
    # A line that begins with `import` is run at every start; addsitedir also reads the packages' own .pth files.
    POINTER.write_text(f"import site; site.addsitedir({str(packages / LIBRARY)!r})\n")
    ours = [str(PYTHON_PROGRAM), *PIP, "--no-build-isolation", "--editable", str(DISTRIBUTION)]
    run_logged(ours, log, deadline_s=PYTHON_DEADLINE_S, fix="see pip's output above")


def main() -> None:
    """`python -m deploy.local.images.runtime_env`: installs what is missing and prints the environment's Python."""
    layout = Layout.of()
    try:
        print(ensure_runtime_venv(layout.cache, layout.logs / "runtime-environment.log", print))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"the runtime environment could not be installed: {error}") from error


if __name__ == "__main__":
    main()
