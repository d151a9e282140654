"""How much memory each part of a serving model takes on one GPU. Pure arithmetic; GiB out, every margin by name.

    usable x utilization  >=  weights + overhead + activations + CUDA graphs + KV cache

vLLM measures the first four when it starts and gives the rest to the KV cache, so a part that is guessed too small here
is a server that does not start. The margins are therefore upper bounds of what vLLM has logged; the logs are in
tests/unit/presets/test_sizing_against_logs.py.
"""

import math
from typing import Final

from presets.machines.machine import Batch
from presets.models.architecture import LayerGroup
from presets.models.catalog import Model
from presets.serving.parallelism import Layout

GIB: Final = 1 << 30
HALF_BYTES: Final = 2

WEIGHT_PADDING: Final = 1.01
"""Weights on the GPU per byte of weight files in 16 bits: padded vocabularies. Logs say 1.002."""
QUANTIZED_PADDING: Final = {"": WEIGHT_PADDING, "mxfp4": 1.08}
"""The same by quantization. vLLM pads mxfp4's experts: 13.7 GiB for gpt-oss-20b's 12.8."""
OTHER_QUANTIZED_PADDING: Final = 1.03
"""The same for every other quantization: packed weights and scales are laid out again for the kernels."""
OVERHEAD_GIB: Final = 0.4
"""CUDA context and library workspaces of one GPU that works alone. Logs say 0.05 to 0.26."""
SHARED_OVERHEAD_GIB: Final = 1.2
"""The same with NCCL's and the all-reduce buffers of GPUs that work together. Logs say 0.95 at tensor 4."""
LEAST_ACTIVATIONS_GIB: Final = 1.5
"""What one step needs even in small batches; 1.44 was logged for Llama-3.1-8B with 2048 tokens at once."""
FORWARD_BYTES: Final = 32
"""Bytes per token and hidden number at the widest point of a dense layer: gate and up projection, their product,
residual and norms come to 27 where the intermediate size is 3.5 x hidden."""
EXPERTS_FORWARD_BYTES: Final = 64
"""The same for mixtures of experts, which keep every token's share of several experts at once."""
SAMPLING_BYTES: Final = 8
"""Bytes per sequence and vocabulary entry: logits in 32 bits, and a sorted copy for top-p."""
ENCODER_BYTES: Final = 440_000
"""Bytes per batched token where images are encoded: vLLM profiles as many images as a batch holds. From the 9.96 GiB
of activations that gemma-3-4b logged with 16384 tokens at once."""
GRAPHS_GIB: Final = 0.75
"""CUDA graphs. Logs say 0.11 to 0.73 for GPUs on which vLLM computes up to 256 sequences at once."""
GRAPHS_PER_WEIGHT: Final = 0.035
"""More of them per GiB of weights for larger batches: 4.13 GiB were logged beside 106.7 GiB of weights."""
SMALL_BATCH_SEQUENCES: Final = 256
ADAPTER_WIDTH: Final = 20
"""Inputs and outputs of all linear modules of a dense layer, in hidden sizes: 81920 / 4096 for Llama-3.1-8B. vLLM makes
room for an adapter of all of them, whatever an adapter has."""
BLOCK_TOKENS: Final = 16
"""Tokens in a block of the KV cache."""
SPARSE_LATENT_FACTOR: Final = 656 / 576
"""vLLM's fp8 form of a latent vector keeps the rotary part in 16 bits and scales: 656 bytes for 576 numbers."""


def weights_gib(model: Model, layout: Layout) -> float:
    """Weights on the fullest GPU: weight files x padding, the largest stage's share, divided by tensor parallelism.

    Files in 32 bits are loaded in 16. The first stage holds the embedding beside its layers, the last one the head.
    """
    narrowed = 0.5 if model.dtype == "float32" and not model.quantization else 1.0
    padding = QUANTIZED_PADDING.get(model.quantization, OTHER_QUANTIZED_PADDING)
    loaded = model.weights_gib * padding * narrowed
    embedding = min(loaded, model.vocab_size * model.hidden_size * HALF_BYTES / GIB)
    return ((loaded - embedding) * stage_share(model, layout) + embedding) / layout.tensor


def overhead_gib(layout: Layout) -> float:
    """Memory outside the model's tensors: CUDA's context, libraries, communication buffers."""
    return OVERHEAD_GIB if layout.tensor * layout.pipeline == 1 else SHARED_OVERHEAD_GIB


def adapters_gib(model: Model, slots: int, rank: int) -> float:
    """Room for so many adapters of this rank in 16 bits. Not divided by tensor parallelism: half of it is whole on
    every GPU. Experts are reckoned as one dense layer: adapters that have them are rare."""
    return slots * rank * ADAPTER_WIDTH * model.hidden_size * model.layer_count * HALF_BYTES / GIB


def activations_gib(model: Model, batch: Batch) -> float:
    """The peak of one step, at least 1.5 GiB: tokens x hidden x 32 bytes, sequences x vocabulary x 8 bytes, and images
    where there are any. Not divided by tensor parallelism: residual, logits and an encoder are whole on every GPU."""
    wide = EXPERTS_FORWARD_BYTES if model.experts else FORWARD_BYTES
    forward = batch.tokens * model.hidden_size * wide
    sampling = batch.sequences * model.vocab_size * SAMPLING_BYTES
    encoder = batch.tokens * ENCODER_BYTES if encodes_images(model) else 0
    return max(LEAST_ACTIVATIONS_GIB, (forward + sampling + encoder) / GIB)


def encodes_images(model: Model) -> bool:
    """Whether a vision or audio encoder runs beside the language model: Hugging Face's name for such classes."""
    return model.architecture.endswith("ForConditionalGeneration")


def graphs_gib(weights: float, batch: Batch, *, eager: bool) -> float:
    """CUDA graphs beside so many GiB of weights; none with enforce-eager."""
    if eager:
        return 0.0
    return GRAPHS_GIB + (GRAPHS_PER_WEIGHT * weights if batch.sequences > SMALL_BATCH_SEQUENCES else 0.0)


def cache_gib(model: Model, context: int, layout: Layout, *, kv_bytes: int, batch: Batch) -> float:
    """The KV cache of one sequence of `context` tokens, on the fullest GPU.

    Per layer and in bytes, with `heads` = KV heads / tensor, at least 1 (vLLM repeats them):
    - full: context x 2 x heads x head size x kv_bytes
    - sliding: the same for min(context, window + one batch) tokens: what a prefill holds
    - mla: context x latent size x kv_bytes, whole on every GPU
    - linear: the state, whatever the context
    """
    cached = [group for group in model.layers if group.values_per_token or group.state_bytes]
    unit = _group_size([group.count for group in cached])
    total = 0.0
    for group in cached:
        layers = math.ceil(_padded(group.count, unit) * stage_share(model, layout))
        total += layers * _layer_bytes(group, context, layout.tensor, kv_bytes, batch)
    return total / GIB


def stage_share(model: Model, layout: Layout) -> float:
    """The part of all layers that the largest pipeline stage holds."""
    return math.ceil(model.layer_count / layout.pipeline) / model.layer_count


def _layer_bytes(group: LayerGroup, context: int, tensor: int, kv_bytes: int, batch: Batch) -> float:
    if group.kind == "linear":
        return group.state_bytes
    held = context
    if group.kind == "sliding":
        held = min(context, group.window - 1 + batch.tokens) + BLOCK_TOKENS  # a window may begin inside a block
    tokens = math.ceil(held / BLOCK_TOKENS) * BLOCK_TOKENS
    if group.kind == "mla":
        factor = SPARSE_LATENT_FACTOR if kv_bytes == 1 else 1.0
        return tokens * (group.latent_dim * kv_bytes * factor + group.index_bytes)
    heads = math.ceil(group.kv_heads / tensor)
    return tokens * (2 * heads * group.head_dim * kv_bytes + group.index_bytes)


def _group_size(counts: list[int]) -> int:
    """Layers in one of vLLM's cache groups: kinds of layers share one pool of blocks, in groups of equal size."""
    if not counts:
        return 1
    return max(counts) if max(counts) < 1.25 * min(counts) else min(counts)


def _padded(count: int, unit: int) -> int:
    return math.ceil(count / unit) * unit
