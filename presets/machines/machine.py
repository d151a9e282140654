"""A node's capacity for a model: GPUs, usable memory, and vLLM's default batch on them."""

from dataclasses import dataclass, field, replace
from typing import Final

from presets.machines.gpu_labels import GPU, NodeGpus
from presets.machines.skus import Sku

LEAST_CAPABILITY: Final = 7.5
"""Of the runtime's images, whose torch is built for CUDA 13: it has no code for Maxwell, Pascal and Volta any more
(CUDA 13.0 release notes)."""
LARGE_GPU_GIB: Final = 70
LARGEST_GPU_GIB: Final = 160
SLICE_SHARE: Final = 0.95
"""Of a MIG slice's nominal size: a 1g.10gb slice of an A100 offers 9.5 GiB (NVIDIA's MIG guide)."""
ASSUMED_CAPABILITY: Final = 8.0
"""Of nodes without a label for it, whose product is not known: KAITO's minimum."""


@dataclass(frozen=True)
class Batch:
    """The most tokens and sequences that vLLM computes at once: what activations are sized for."""

    tokens: int = 2048
    sequences: int = 256


@dataclass(frozen=True)
class Machine:
    """One node. `usable_gib` is what the driver offers on each GPU, less than what is advertised.

    `compute_capability` is CUDA's, for instance 8.6; None for GPUs without CUDA. `divided`: its one GPU is a
    MIG slice, or is shared with other pods. `share` is less than 1 where CUDA shows the memory of the whole GPU to each
    of the pods that share it: vLLM's utilization must then be so much less. `ram_gib` is its main memory, 0 where it is
    not known. `resource` is what a pod asks for to get one of its GPUs, a slice's with MIG's mixed strategy.
    """

    name: str
    gpus: int
    usable_gib: float
    gpu_model: str = ""
    compute_capability: float | None = None
    infiniband: bool = False
    architecture: str = "amd64"
    divided: bool = False
    share: float = 1.0
    ram_gib: int = 0
    resource: str = GPU
    batch: Batch = field(default_factory=Batch)

    @classmethod
    def of(cls, sku: Sku) -> "Machine":
        """The node that an Azure VM size makes."""
        return cls(
            name=sku.name,
            gpus=sku.gpus,
            usable_gib=sku.usable_memory_gib,
            gpu_model=sku.gpu_model,
            compute_capability=float(sku.compute_capability) if sku.compute_capability else None,
            infiniband=sku.infiniband,
            architecture=sku.architecture,
            ram_gib=sku.ram_gib,
            batch=default_batch(sku.usable_memory_gib, sku.gpu_model),
        )

    @classmethod
    def of_node(cls, gpus: NodeGpus) -> "Machine":
        """An existing node. Slices and shared GPUs cannot work together, so only one is used."""
        capability = float(gpus.compute_capability) if gpus.compute_capability else ASSUMED_CAPABILITY
        return cls(
            name=f"a node with {gpus.product}",
            gpus=gpus.count if gpus.alone else 1,
            usable_gib=gpus.usable_memory_gib,
            gpu_model=gpus.product,
            compute_capability=capability,
            batch=default_batch(gpus.usable_memory_gib, gpus.product),
            divided=not gpus.alone,
            share=1 / gpus.replicas if gpus.sharing == "time-slicing" else 1.0,
            resource=gpus.resource,
        )

    def too_old(self) -> str | None:
        """Why the runtime's images cannot compute on its GPUs; None if they can."""
        capability = self.compute_capability
        if capability is None:
            return f"{self.name} has {self.gpu_model or 'no'} GPUs, and the runtime image is built for NVIDIA's"
        if capability >= LEAST_CAPABILITY:
            return None
        gpus = f"{self.name} ({self.gpu_model}) has GPUs of compute capability {capability:.1f}"
        return f"{gpus}, and the CUDA 13 of the runtime image needs {LEAST_CAPABILITY:.1f} or more"

    def with_gpus(self, gpus: int) -> "Machine":
        """The same machine, of which only so many GPUs may be used."""
        return replace(self, gpus=gpus)

    def with_slice(self, gib: int) -> "Machine":
        """One MIG slice of one of its GPUs, by the size in the profile's name."""
        usable = gib * SLICE_SHARE
        return replace(self, gpus=1, divided=True, usable_gib=usable, batch=default_batch(usable, self.gpu_model))


def default_batch(usable_gib: float, gpu_model: str) -> Batch:
    """vLLM's own defaults for its API server, by GPU memory (EngineArgs.get_batch_defaults in 0.32): large GPUs
    other than the A100 take larger batches."""
    if usable_gib >= LARGEST_GPU_GIB:
        return Batch(tokens=16384, sequences=1024)
    if usable_gib >= LARGE_GPU_GIB and "A100" not in gpu_model:
        return Batch(tokens=8192, sequences=1024)
    return Batch()
