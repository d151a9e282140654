"""How much GPU memory a model takes, and whether it fits a machine. Pure arithmetic in GiB.

Per GPU, with the weights shared by `gpus` of tensor parallelism:
    weights x 1.02 / gpus + context x kv_bytes_per_token / gpus + 2.3 GiB  <=  memory x 0.84
The 1.02 (tensor padding), 2.3 GiB (activations, CUDA context and graphs) and 0.84 (vLLM's gpu-memory-utilization) are
the margins that KAITO's estimator uses too.
"""

from dataclasses import dataclass
from typing import Final

from presets.catalogue import Model
from presets.skus import Sku

WEIGHT_OVERHEAD: Final = 1.02
FIXED_GIB_PER_GPU: Final = 2.3
GPU_MEMORY_UTILIZATION: Final = 0.84
LEAST_CONTEXT: Final = 2048
"""Tokens of context that a machine must at least hold, unless the user asks for a max-model-len."""
IMAGES_AND_LOGS_GIB: Final = 80
GIB: Final = 1 << 30


class DoesNotFit(ValueError):
    """One machine of this type cannot serve the model; the message has the numbers."""


@dataclass(frozen=True)
class Fit:
    """How a model is spread over the GPUs of one machine. `context` is in tokens."""

    tensor_parallel: int
    data_parallel: int
    context: int
    disk_gib: int


def fit(model: Model, sku: Sku, wanted_context: int | None = None) -> Fit:
    """One machine's layout. Small models are copied to every GPU, others split over all. Raises DoesNotFit."""
    least = wanted_context or min(LEAST_CONTEXT, model.max_tokens)
    disk = int(model.weights_gib) + IMAGES_AND_LOGS_GIB
    alone = context_that_fits(model, sku, gpus=1)
    if sku.gpus > 1 and model.weights_gib < sku.gpu_memory_gib / 2 and alone >= least:
        return Fit(tensor_parallel=1, data_parallel=sku.gpus, context=alone, disk_gib=disk)
    together = context_that_fits(model, sku, gpus=sku.gpus)
    if together < least:
        raise DoesNotFit(
            f"{model.repo} needs {needed_gib(model, sku.gpus, least):.1f} GiB on each GPU for {least} tokens; "
            f"{sku.name} has {sku.gpus} x {sku.gpu_memory_gib} GiB, of which {usable_gib(sku):.1f} GiB each are usable"
        )
    return Fit(tensor_parallel=sku.gpus, data_parallel=1, context=together, disk_gib=disk)


def context_that_fits(model: Model, sku: Sku, *, gpus: int) -> int:
    """Tokens of context, at most what the model allows; 0 where not even the weights fit."""
    left_gib = usable_gib(sku) - model.weights_gib * WEIGHT_OVERHEAD / gpus - FIXED_GIB_PER_GPU
    return max(0, min(model.max_tokens, int(left_gib * GIB * gpus / model.kv_bytes_per_token)))


def needed_gib(model: Model, gpus: int, context: int) -> float:
    """GiB on each of `gpus` GPUs for a context of so many tokens."""
    cache_gib = context * model.kv_bytes_per_token / GIB
    return (model.weights_gib * WEIGHT_OVERHEAD + cache_gib) / gpus + FIXED_GIB_PER_GPU


def usable_gib(sku: Sku) -> float:
    """GiB of one GPU that vLLM is given."""
    return sku.gpu_memory_gib * GPU_MEMORY_UTILIZATION
