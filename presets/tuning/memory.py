"""How much memory each part of a training takes on one GPU. Pure arithmetic; GiB out, every margin by name.

    usable x 0.95  >=  weights + adapter + activations + overhead

Every GPU holds the whole model and computes rows of its own (data parallel). What is trained is the adapter alone: the
weights are frozen, have no gradients and no optimizer's state. Rows as long as max_length are reckoned with; shorter
ones take less.
"""

from typing import Final

from presets.models.catalog import Model
from presets.tuning.linear_sizes import (
    GIB,
    attention_width,
    copies_of_embedding,
    embedding,
    intermediate_size,
    key_value_width,
    linears,
    parameters,
)
from presets.tuning.overrides import TrainingOverrides

PACKED_BYTES: Final = {4: 0.5, 8: 1.0}
"""Bytes of a packed weight, by bits, without scales."""
BLOCK: Final = 64
"""Weights that share a scale (bitsandbytes 0.50's default for nf4 and fp4)."""
SCALE_BYTES: Final = 4
DOUBLE_SCALE_BYTES: Final = 1 + 4 / 256
"""With double quantization: a byte for each scale, and a float for 256 of them."""
WEIGHT_MARGIN: Final = 1.01
"""Buffers and padding; as for serving."""
STATE_BYTES: Final = 16
"""Of a trained weight: itself, its gradient and AdamW's two moments, in 32 bits each (peft keeps adapters in 32 bits;
trl brings qlora's down to 16, which is not counted on)."""
REDUCTION_BYTES: Final = 4
"""More of them where GPUs exchange gradients: torch's buckets hold a copy."""
HIDDEN_PASSES: Final = 28
"""Bytes per token and hidden number that a layer keeps for its backward pass beside attention and MLP: two norms, which
compute in 32 bits (2 x 10), and the gradients that come and go (8)."""
ATTENTION_PASSES: Final = 4
"""Bytes per number of queries, keys and values: as projected, and as rotated, in 16 bits each."""
OUTPUT_PASSES: Final = 2
MLP_PASSES: Final = 14
"""Bytes per token and intermediate number: gate, up, their activation and product (8), and gradients of three (6)."""
ADAPTER_PASSES: Final = 6
"""Bytes per number that goes into an adapted module: the adapter computes on a copy in 32 bits, and keeps one in 16."""
MASK_BYTES: Final = 4
"""Per pair of tokens in a row, where rows of a batch are padded."""
HEAD_TOKENS: Final = 4096
HEAD_WORDS: Final = 32768
"""trl 1.16 computes the loss in tiles of so many tokens and words: there are never logits of all of them."""
HEAD_BYTES: Final = 14
"""Bytes of a logit in such a tile: in 16 bits, and in 32 as it is, as it is copied and as a gradient. The same without
tiles, which label smoothing needs."""
CONTEXT_GIB: Final = 2.0
"""CUDA's context (0.41 to 0.53 was logged for serving), workspaces of cuBLAS and bitsandbytes, and unattributed memory:
Qwen's published peaks at 256 tokens are up to 1.4 GiB above the other parts."""
SHARED_CONTEXT_GIB: Final = 3.0
"""The same with NCCL's buffers; 0.75 GiB more was logged for serving."""
FRAGMENTS: Final = 0.05
"""The share of the memory that must stay free: rows differ in length, and blocks of memory with them."""


def weights_gib(model: Model, overrides: TrainingOverrides) -> float:
    """The frozen model: parameters x bytes x 1.01. Packed: the layers' weights x 0.516 bytes (nf4 with double
    quantization; 0.5625 without, 1 with 8 bits), while embedding and head stay as they are."""
    if not overrides.bits:
        return parameters(model) * overrides.weight_bytes * WEIGHT_MARGIN / GIB
    kept = embedding(model)
    packed = max(0.0, parameters(model) - kept) * packed_bytes(overrides)
    whole = kept * copies_of_embedding(model) * overrides.weight_bytes
    return (packed + whole) * WEIGHT_MARGIN / GIB


def packed_bytes(overrides: TrainingOverrides) -> float:
    """Bytes of a packed weight with its share of the scales."""
    scale = DOUBLE_SCALE_BYTES if overrides.double_quant else SCALE_BYTES
    return PACKED_BYTES[overrides.bits] + (scale / BLOCK if overrides.bits == 4 else 0.0)


def adapter_parameters(model: Model, overrides: TrainingOverrides) -> int:
    """Trained weights: rank x (inputs + outputs) of every module that is adapted."""
    found = linears(model, overrides.modules)
    return sum(overrides.rank * (module.inputs + module.outputs) * module.count for module in found)


def adapter_gib(model: Model, overrides: TrainingOverrides, gpus: int) -> float:
    """Adapter, gradients and the optimizer's state: 16 bytes of a trained weight, 20 where several GPUs train."""
    each = STATE_BYTES + (REDUCTION_BYTES if gpus > 1 else 0)
    return adapter_parameters(model, overrides) * each / GIB


def activations_gib(model: Model, overrides: TrainingOverrides) -> float:
    """What the forward pass leaves for the backward pass, at its peak.

    With gradient checkpointing: every layer's input, and all of one layer at a time. Without: all of all layers. To
    that come the loss, the mask, and with packed weights one module unpacked.
    """
    wide = overrides.weight_bytes / 2
    inputs = overrides.tokens * model.hidden_size * overrides.weight_bytes * model.layer_count
    layer = overrides.tokens * _layer_bytes(model, overrides) * wide
    kept = inputs + layer if overrides.checkpointing else layer * model.layer_count
    mask = MASK_BYTES * overrides.batch * overrides.length**2 if overrides.batch > 1 else 0
    return (kept + mask + _head_bytes(model, overrides) + _unpacked_bytes(model, overrides)) / GIB


def overhead_gib(gpus: int) -> float:
    """Memory outside the training's tensors."""
    return CONTEXT_GIB if gpus == 1 else SHARED_CONTEXT_GIB


def checkpoint_gib(model: Model, overrides: TrainingOverrides) -> float:
    """One checkpoint on disk: the adapter and the optimizer's two moments, in 32 bits."""
    return adapter_parameters(model, overrides) * 12 / GIB


def _layer_bytes(model: Model, overrides: TrainingOverrides) -> float:
    """Bytes per token of the widest layer."""
    adapted = sum(module.inputs * module.count for module in linears(model, overrides.modules)) / model.layer_count
    attention = max(
        ATTENTION_PASSES * (attention_width(model, group) + 2 * key_value_width(group))
        + OUTPUT_PASSES * attention_width(model, group)
        for group in model.layers
    )
    mlp = MLP_PASSES * intermediate_size(model)
    return HIDDEN_PASSES * model.hidden_size + attention + mlp + ADAPTER_PASSES * adapted


def _head_bytes(model: Model, overrides: TrainingOverrides) -> float:
    """The loss: a tile of logits, the head's part of a tile in 32 bits, and gradients of the last layer's output."""
    if overrides.full_logits:
        return overrides.tokens * model.vocab_size * HEAD_BYTES
    vocabulary = min(model.vocab_size, HEAD_WORDS)
    tile = min(overrides.tokens, HEAD_TOKENS) * HEAD_WORDS * HEAD_BYTES
    return tile + vocabulary * model.hidden_size * 4 + overrides.tokens * model.hidden_size * 8


def _unpacked_bytes(model: Model, overrides: TrainingOverrides) -> float:
    if not overrides.bits:
        return 0.0
    sizes = [module.inputs * module.outputs for module in linears(model, model.lora_targets)]
    return 2.0 * overrides.weight_bytes * max(sizes, default=0)
