"""Checks by its two files whether an adapter can be served, and scales its configuration. Pure functions.

The tensors are judged, not only what the configuration says of them. `runtime.serve` compares names and sizes with the
model's, because only it has the weights.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from api.configs.servable import ranks_of, serving_problems
from runtime.adapters.failures import INVALID, NOT_SERVABLE
from runtime.adapters.settings import check_settings
from runtime.pod.exit import Failure
from runtime.pod.lora_tensors import foreign, matrices, unpaired
from runtime.pod.safetensors import Tensor

_HUB_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
_WHOLE_LAYER: Final = (
    "a layer or parameter that was trained whole (modules_to_save, a resized vocabulary, a norm), and vLLM serves LoRA "
    "matrices only; train without it, or merge the adapter into the model and serve that"
)
_KINDS: Final = (
    ("lora_magnitude_vector", "of DoRA, which vLLM does not serve; train without use_dora"),
    ("trainable_tokens", "of single trained tokens, which vLLM does not serve; train without trainable_token_indices"),
    (".bias", "a trained bias, which vLLM does not serve; train with bias none and without lora_bias"),
    ("lora_", "named otherwise than peft's save_pretrained does; save the adapter with it"),
)
"""Parts of names, and what a tensor of such a name is."""


def rank_of(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """Returns the highest rank. Raises Failure with the reason why vLLM cannot serve the adapter."""
    if str(config.get("peft_type")).upper() != "LORA":
        raise Failure(NOT_SERVABLE, f"its peft_type is {config.get('peft_type')!r}, and vLLM serves only LORA")
    check_settings(config)
    if problems := serving_problems(config):
        raise Failure(NOT_SERVABLE, "; ".join(f"{key}: {words}" for key, words in problems))
    ranks = ranks_of(config)
    check_tensors(tensors)
    _check_shapes(ranks, tensors)
    return max(ranks)


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Raises Failure that names the first tensor that vLLM does not serve, or that lacks its partner, whatever the
    configuration says."""
    if others := foreign(tensors):
        more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
        what = next((words for part, words in _KINDS if part in others[0]), _WHOLE_LAYER)
        raise Failure(NOT_SERVABLE, f"its tensor {others[0]}{more} is {what}")
    for name, missing in unpaired(tensors):
        raise Failure(INVALID, f"it has {name} and no {missing}: save the adapter anew")
    if not any(matrices(tensors)):
        raise Failure(
            INVALID, "adapter_model.safetensors holds no LoRA weights: no tensor's name ends in lora_A.weight"
        )


def scaled(config: Mapping[str, Any], strength: float) -> dict[str, Any]:
    """Returns the configuration with alpha multiplied by `strength`; an adapter's effect is proportional to alpha."""
    pattern = config.get("alpha_pattern") or {}
    alphas = {"lora_alpha": config["lora_alpha"] * strength} if strength != 1 else {}
    if pattern and strength != 1:
        alphas["alpha_pattern"] = {module: alpha * strength for module, alpha in pattern.items()}
    return dict(config) | alphas


def compatibility_warning(config: Mapping[str, Any], model: str) -> str:
    """Returns a warning if the adapter names another model, else an empty string. Not an error: the same weights have
    several names, and training often writes a path."""
    base = str(config.get("base_model_name_or_path") or "")
    if not _HUB_NAME.fullmatch(base) or base.lower() == model.lower():
        return ""
    return f"its configuration names the base model {base}, and {model} is served"


def _check_shapes(ranks: set[int], tensors: Mapping[str, Tensor]) -> None:
    """Checks shapes against each other and against ranks. Experts that share a tensor have their ranks concatenated in
    it."""
    for pair in matrices(tensors):
        down, up = pair.down.shape, pair.up.shape
        if min(len(down), len(up)) < 2 or 0 in (*down, *up):
            raise Failure(
                INVALID, f"{pair.module} has matrices of {_size(down)} and {_size(up)}: save the adapter anew"
            )
        if len(down) == len(up) == 2 and down[0] != up[1]:
            what = f"matrices of {_size(down)} and {_size(up)}, which cannot be multiplied"
            raise Failure(INVALID, f"{pair.module} has {what}: save the adapter anew")
        if len(down) == 2 and not any(down[0] % rank == 0 for rank in ranks):
            known = ", ".join(map(str, sorted(ranks)))
            raise Failure(INVALID, f"{pair.module} has rank {down[0]}, and adapter_config.json has {known}")


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
