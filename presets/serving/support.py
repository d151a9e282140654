"""Reports what vLLM does not support on a kind of GPU, and what it does worse than expected. Pure.

From vLLM 0.32: the least compute capability of each quantization, of fp8 caches and of sparse attention.
"""

from typing import Final

from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.serving.fit import COMFORTABLE_CONTEXT, CONTEXT_GIB, GIB, Fit, most_utilization, utilization
from presets.serving.overrides import VllmOverrides

LEAST_CAPABILITY: Final = {
    "fp8": 7.5, "mxfp4": 8.0, "nvfp4": 7.5, "awq": 7.5, "gptq": 6.0, "int4": 7.0, "bnb": 7.0,
}  # fmt: skip
"""By quantization: `get_min_capability` of vLLM's classes."""
HALF_TYPE_CAPABILITY: Final = 8.0
"""Below it there is no bfloat16: vLLM computes in float16 then."""
FP8_CACHE_CAPABILITY: Final = 8.0
NATIVE_FP8_CAPABILITY: Final = 8.9
SPARSE_CAPABILITY: Final = 9.0


def refusals(model: Model, machine: Machine) -> list[str]:
    """Why this model cannot be served on this machine regardless of memory; empty if it can."""
    capability = machine.compute_capability or 0.0
    if why := machine.too_old():
        return [why]
    found = []
    least = LEAST_CAPABILITY.get(model.quantization, 0.0)
    if capability < least:
        found.append(_too_old(f"{model.repo} is quantized to {model.quantization}", machine, least))
    if capability < SPARSE_CAPABILITY and any(group.index_bytes for group in model.layers):
        found.append(_too_old(f"{model.repo} has sparse attention", machine, SPARSE_CAPABILITY))
    return found


def override_problems(model: Model, machine: Machine, overrides: VllmOverrides) -> list[str]:
    """What of the user's inference_config.yaml cannot work with this model on this machine, with the numbers."""
    found = []
    if (machine.compute_capability or 0.0) < FP8_CACHE_CAPABILITY and overrides.kv_bytes == 1:
        found.append(_too_old(f"kv-cache-dtype {overrides.kv_dtype}", machine, FP8_CACHE_CAPABILITY))
    if overrides.dtype == "bfloat16" and (machine.compute_capability or 0.0) < HALF_TYPE_CAPABILITY:
        least = _too_old("dtype bfloat16", machine, HALF_TYPE_CAPABILITY)
        found.append(f"{least}: set dtype: float16, or leave it out")
    if overrides.auto_tools and not overrides.tool_parser and not model.tool_parser:
        found.append(
            f"enable-auto-tool-choice needs a tool-call-parser, and none is known for {model.repo}: name the parser of "
            "this model's calls, or leave it out"
        )
    if overrides.adapters and overrides.adapters_off:
        found.append("enable-lora: false keeps vLLM from serving inference.adapters: leave it out")
    if overrides.context and overrides.context > model.max_tokens:
        found.append(
            f"max-model-len {overrides.context} exceeds model's maximum supported context window {model.max_tokens} "
            "(ModelTokenLimit); lower it, or leave it out"
        )
    most = most_utilization(machine)
    if utilization(machine, overrides) > most:
        found.append(
            f"gpu-memory-utilization {utilization(machine, overrides):g} leaves less than {CONTEXT_GIB} GiB of "
            f"{machine.usable_gib:.1f} GiB for CUDA itself: use at most {most:.2f}"
        )
    found += _memory_problems(machine, overrides)
    asked = (overrides.tensor or 1) * (overrides.pipeline or 1) * (overrides.data or 1)
    if asked > machine.gpus:
        found.append(
            f"tensor-, pipeline- and data-parallel-size ask for {asked} GPUs, and {machine.name} has {machine.gpus}"
        )
    batch = overrides.batch(machine.batch)
    if batch.tokens < batch.sequences:
        found.append(
            f"max-num-batched-tokens {batch.tokens} is less than max-num-seqs {batch.sequences}: raise it, "
            "or lower max-num-seqs"
        )
    return found


def _memory_problems(machine: Machine, overrides: VllmOverrides) -> list[str]:
    """What is set aside by name and is more than there is; of existing nodes the main memory may be unknown."""
    found = []
    cache = (overrides.cache_bytes or 0) / GIB
    if cache > machine.usable_gib:
        found.append(
            f"kv-cache-memory-bytes asks for {cache:.1f} GiB of each GPU, and {machine.name} has "
            f"{machine.usable_gib:.1f}: lower it, or leave it out"
        )
    gpus = (overrides.tensor or 1) * (overrides.pipeline or 1) * (overrides.data or 1)
    main = overrides.offload_gib * gpus + overrides.offload_cache_gib
    if machine.ram_gib and main > machine.ram_gib:
        found.append(
            f"cpu-offload-gb and kv-offloading-size ask for {main:g} GiB of main memory, and {machine.name} has "
            f"{machine.ram_gib}: lower them, or use a larger machine"
        )
    return found


def concerns(model: Model, machine: Machine, overrides: VllmOverrides, fit: Fit) -> list[str]:
    """What works and may disappoint."""
    found = []
    if fit.context < min(COMFORTABLE_CONTEXT, model.max_tokens) and overrides.context is None:
        found.append(
            f"only {fit.context} of {model.max_tokens} tokens of context fit on {machine.name}: "
            "take a machine with more GPU memory, or set kv-cache-dtype: fp8"
        )
    capability = machine.compute_capability or 0.0
    if capability < HALF_TYPE_CAPABILITY and model.dtype == "bfloat16":
        found.append(f"{machine.name} ({machine.gpu_model}) has no bfloat16: the model is computed in float16")
    if model.quantization == "fp8" and capability < NATIVE_FP8_CAPABILITY:
        found.append(f"{machine.gpu_model} does not compute in fp8: the weights stay small, and it is no faster for it")
    if fit.layout.gpus < machine.gpus * fit.layout.nodes:
        found.append(f"{machine.gpus - fit.layout.gpus} of {machine.gpus} GPUs of {machine.name} are left idle")
    if machine.architecture != "amd64":
        found.append(f"{machine.name} is an {machine.architecture} machine: the runtime image must be built for it")
    if fit.layout.nodes > 1 and not machine.infiniband:
        found.append(f"{machine.name} has no InfiniBand: stages on {fit.layout.nodes} nodes exchange over Ethernet")
    return found


def _too_old(what: str, machine: Machine, least: float) -> str:
    return (
        f"{what}, which needs GPUs of compute capability {least:.1f} or more; {machine.name} "
        f"({machine.gpu_model}) has {machine.compute_capability:.1f}"
    )
