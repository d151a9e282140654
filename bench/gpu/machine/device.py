"""What a run is on: the GPU by nvidia-smi, or this machine's CPUs; and how much of its memory is in use.

A GPU is planned for as a node's GPU is (`presets/machines/gpu_labels.py`): nvidia-smi has what its labels have.
"""

import csv
import os
import platform
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from presets.machines.gpu_labels import GPU, GpuLabelsInvalid, read_gpus
from presets.machines.machine import Machine

GIB: Final = 2**30
MIB: Final = 2**20
FIELDS: Final = ("name", "driver_version", "memory.total", "memory.used", "compute_cap")
QUERY_S: Final = 20.0
SAMPLE_S: Final = 0.5
CONTROL: Final = Path("/dev/nvidiactl")
"""NVIDIA's driver makes it; the runtime looks for it, too."""
CHOSEN: Final = "CUDA_VISIBLE_DEVICES"


class NoGpu(RuntimeError):
    """There is no GPU that can be used; the message names what is missing."""


@dataclass(frozen=True)
class Gpu:
    """One GPU. Memory is in bytes; `index` is as CUDA_VISIBLE_DEVICES has it, a number or a UUID."""

    index: str
    name: str
    driver: str
    total: int
    used: int
    compute_capability: str

    @property
    def machine(self) -> Machine:
        """The node that this GPU alone would be. Raises NoGpu."""
        major, _, minor = self.compute_capability.partition(".")
        labels = {
            f"{GPU}.product": self.name.replace(" ", "-"),
            f"{GPU}.count": "1",
            f"{GPU}.memory": str(self.total // MIB),
            f"{GPU}.compute.major": major,
            f"{GPU}.compute.minor": minor,
        }
        try:
            return Machine.of_node(read_gpus(labels))
        except GpuLabelsInvalid as error:
            raise NoGpu(f"nvidia-smi describes no GPU that can be planned for: {error}") from error


def read_gpu() -> Gpu:
    """The first GPU that this process may use. Raises NoGpu."""
    if not CONTROL.exists():
        raise NoGpu(f"there is no {CONTROL}: NVIDIA's driver is not loaded, or this container was given no GPU")
    chosen = os.environ.get(CHOSEN, "0").partition(",")[0]
    return parsed(chosen, _query(chosen))


def parsed(index: str, line: str) -> Gpu:
    """One line of `nvidia-smi --format=csv,noheader,nounits` with FIELDS; memory in MiB. Raises NoGpu."""
    values = next(csv.reader([line], skipinitialspace=True), [])
    try:
        name, driver, total, used, capability = values
        return Gpu(index, name, driver, int(total) * MIB, int(used) * MIB, capability)
    except ValueError:
        raise NoGpu(f"nvidia-smi was asked for {', '.join(FIELDS)} and answered {line.strip()!r}") from None


def gpu_memory(gpu: Gpu) -> Callable[[], int]:
    """A probe for the bytes in use on the GPU beyond those that were in use when it was read."""
    return lambda: max(0, parsed(gpu.index, _query(gpu.index)).used - gpu.used)


def process_memory() -> int:
    """The resident bytes of all processes that this one has started."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def cpu_name() -> str:
    """The processor's name and its number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {os.cpu_count()} cores"


@dataclass
class Peak:
    """The largest value that a probe had so far; 0 when it never answered."""

    value: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def follow(self, probe: Callable[[], int]) -> None:
        """Asks until `end`; a probe that does not answer once is asked again."""
        while not self._ended.is_set():
            with suppress(NoGpu, OSError):
                self.value = max(self.value, probe())
            self._ended.wait(SAMPLE_S)

    def end(self) -> None:
        self._ended.set()


@contextmanager
def peak_of(probe: Callable[[], int]) -> Iterator[Peak]:
    """Follows a probe until the end of the block."""
    peak = Peak()
    thread = threading.Thread(target=peak.follow, args=(probe,), name="peak", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.end()
        thread.join(QUERY_S)


def _query(index: str) -> str:
    argv = ["nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits", "-i", index]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=QUERY_S, check=True)
    except FileNotFoundError:
        fix = "it comes with the driver (in a container, NVIDIA's runtime adds it)"
        raise NoGpu(f"nvidia-smi is not there: {fix}") from None
    except subprocess.SubprocessError as error:
        raise NoGpu(f"nvidia-smi: {error}") from error
    return done.stdout
