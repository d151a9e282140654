"""What every part is given: the device and its plan, the model, how much to do, and a folder to do it in."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gpu.machine.device import CHOSEN, GIB, SAMPLE_S, Gpu, gpu_memory, process_memory
from bench.gpu.machine.processes import Deadline, PartFailed
from bench.gpu.machine.sizes import FREE_S, SIZES, Device, Size
from bench.gpu.machine.weights import Weights

FREE: Final = GIB
"""Bytes in use, beyond what was at the start, under which a GPU counts as free."""


@dataclass(frozen=True)
class Place:
    """`gpu` is None on CPUs, for which there are no plans."""

    device: Device
    gpu: Gpu | None
    weights: Weights
    folder: Path

    @property
    def size(self) -> Size:
        return SIZES[self.device]

    @property
    def environment(self) -> Mapping[str, str]:
        """What every program gets: one GPU or none, and no way to the hub, because the weights are here."""
        return {
            CHOSEN: self.gpu.index if self.gpu else "",
            # As nvidia-smi counts them.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.folder / "huggingface"),
            "TOKENIZERS_PARALLELISM": "false",
            "VLLM_NO_USAGE_STATS": "1",
        }

    def memory_in_use(self) -> int:
        """Bytes that the programs have on the GPU, or in main memory without one. Raises NoGpu."""
        return gpu_memory(self.gpu)() if self.gpu else process_memory()

    def caches(self, folder: Path) -> Mapping[str, str]:
        """Empty caches of compiled kernels: what one program compiled must not make the next one start sooner."""
        cache = folder / "cache"
        names = ("XDG_CACHE_HOME", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR")
        return {name: str(cache / name.lower()) for name in names}

    def wait_until_free(self) -> None:
        """Waits until an earlier program's memory is free again. Raises PartFailed, NoGpu."""
        deadline = Deadline.after(FREE_S)
        while self.gpu and self.memory_in_use() > FREE:
            if not deadline.left:
                used = self.memory_in_use() / GIB
                raise PartFailed(f"{used:.1f} GiB of the GPU are in use by others: give the check a GPU of its own")
            time.sleep(SAMPLE_S)

    def new_folder(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir()
        return made


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))
