"""Which linear modules LoRA may target in a model of Hugging Face, by its architecture class.

Models of the catalog name theirs in `presets/models/*.yaml`; what a user chooses of them is `tuning/overrides.py`'s.
"""

from typing import Final

_SPLIT: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_LORA: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"), _SPLIT),
    **dict.fromkeys(("GraniteForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "SmolLM3ForCausalLM"), _SPLIT),
    "Phi3ForCausalLM": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "PhiForCausalLM": ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"),
    "FalconForCausalLM": ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
}


def lora_targets_of(architecture: str, *, quantized: bool) -> tuple[str, ...]:
    """The linear modules of this class; empty where tuning is not offered: other classes, and quantized weights."""
    return () if quantized else _LORA.get(architecture, ())


def tunable_classes() -> tuple[str, ...]:
    """The classes for which tuning is offered."""
    return tuple(_LORA)
