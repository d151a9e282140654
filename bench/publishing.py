"""Measures publishing an adapter of 500 MB: seconds and peak memory of ours against a plain push by oras.

It needs a registry and no cluster. The two push the same bytes in turn, each from its own process to its own empty
registry; the median run counts. oras pushes the files as they are: it builds no layers, compares nothing with the
training's record, and reads nothing back. "Whole" is its default, with the largest file in memory.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.pods.publish import PublishConfig
from api.pods.registries import RegistryAccess
from bench.results import Result, print_all
from testing.adapters import write_adapter
from testing.oci.registry import OciRegistry

SIZE: Final = 500_000_000
ROUNDS: Final = 5
GOAL: Final = 1.1
_ORAS: Final = """
import os, sys
import oras.client
os.chdir(sys.argv[1])
chunked = sys.argv[3] == "chunked"
files = sorted(name for name in os.listdir(".") if not name.startswith("."))
oras.client.OrasClient(insecure=True).push(sys.argv[2], files=files, do_chunked=chunked)
"""


@dataclass(frozen=True)
class Run:
    """Wall-clock time, CPU time and peak resident memory of one process, imports included."""

    seconds: float
    cpu_s: float
    peak_mib: float


def measure(folder: Path) -> Iterator[Result]:
    """Yields the figures; the adapter and the registries are placed in the folder."""
    adapter = write_adapter(folder / "adapter", SIZE)
    pushes: dict[str, Callable[[OciRegistry], Sequence[str]]] = {
        "ours": lambda registry: _ours(adapter, registry, folder),
        "oras": lambda registry: _oras(adapter, registry, "whole"),
        "oras in chunks": lambda registry: _oras(adapter, registry, "chunked"),
    }
    runs: dict[str, list[Run]] = {name: [] for name in pushes}
    for number in range(ROUNDS):
        for name, argv in pushes.items():
            with_registry = _registry(folder / f"{number} {name}")
            runs[name].append(_timed(argv(with_registry)))
            with_registry.stop()
            shutil.rmtree(with_registry.folder)
    yield from _results(runs)


def _results(runs: dict[str, list[Run]]) -> Iterator[Result]:
    seconds, processor, peaks = (
        {name: statistics.median(getattr(run, what) for run in found) for name, found in runs.items()}
        for what in ("seconds", "cpu_s", "peak_mib")
    )
    how = f"an adapter of {SIZE // 10**6} MB into an empty registry on this machine, one process with its start"
    for name in runs:
        word, words = name.replace(" ", "_"), f"{name}: {how}; the median run"
        yield Result(f"publishing_{word}_s", seconds[name], "s", words, n=ROUNDS)
        yield Result(f"publishing_{word}_cpu_s", processor[name], "s", f"{words}, processor time", n=ROUNDS)
        yield Result(f"publishing_{word}_mib", peaks[name], "MiB", f"{words}, most that was resident", n=ROUNDS)
    for name in ("oras", "oras in chunks"):
        suffix, against = name.removeprefix("oras").replace(" ", "_"), f"ours divided by {name}"
        yield Result(
            f"publishing{suffix}", seconds["ours"] / seconds[name], "times", f"{against}: seconds", GOAL, ROUNDS
        )
        memory = peaks["ours"] / peaks[name]
        yield Result(f"publishing_memory{suffix}", memory, "times", f"{against}: memory", GOAL, ROUNDS)


def _ours(adapter: Path, registry: OciRegistry, folder: Path) -> list[str]:
    access = RegistryAccess(plain_http=(registry.address,))
    config = PublishConfig(
        folder=str(adapter),
        image=f"{registry.address}/bench/adapter:v1",
        model_name="bench",
        registry=access,
        port=0,
        result=str(folder / "published.json"),
    )
    file = folder / "publish.json"
    file.write_text(config.model_dump_json())
    return [sys.executable, "-m", "runtime.publish", "--config", str(file)]


def _oras(adapter: Path, registry: OciRegistry, how: str) -> list[str]:
    return [sys.executable, "-c", _ORAS, str(adapter), f"{registry.address}/bench/adapter:v1", how]


def _timed(argv: Sequence[str]) -> Run:
    """Raises CalledProcessError when the push failed."""
    began = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=os.environ | {"NO_PROXY": "*"})
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, argv)
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _registry(folder: Path) -> OciRegistry:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return OciRegistry(folder, port).start()


def main() -> int:
    """Prints the figures as JSON lines; returns 1 if a goal was missed."""
    with tempfile.TemporaryDirectory() as folder:
        return 0 if print_all(measure(Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
