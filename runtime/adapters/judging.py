"""Checks by its two files whether an adapter can be served, and scales its configuration. Pure functions.

`runtime.serve` compares matrix sizes with the model's, because only it has the weights.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from api.configs.servable import ranks_of, serving_problems
from runtime.adapters.failures import INVALID, NOT_SERVABLE
from runtime.pod.exit import Failure
from runtime.pod.safetensors import Tensor

_NEEDED: Final = ("r", "lora_alpha", "target_modules")
_HUB_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
DOWN: Final = ".lora_A.weight"


def rank_of(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """Returns the highest rank. Raises Failure with the reason why vLLM cannot serve the adapter."""
    if str(config.get("peft_type")).upper() != "LORA":
        raise Failure(NOT_SERVABLE, f"its peft_type is {config.get('peft_type')!r}, and vLLM serves only LORA")
    if missing := [key for key in _NEEDED if config.get(key) is None]:
        raise Failure(INVALID, f"adapter_config.json has no {', '.join(missing)}")
    if not isinstance(config["lora_alpha"], int | float):
        raise Failure(INVALID, f"adapter_config.json has lora_alpha {config['lora_alpha']!r}: it must be a number")
    if problems := serving_problems(config):
        raise Failure(NOT_SERVABLE, "; ".join(f"{key}: {words}" for key, words in problems))
    ranks = ranks_of(config)
    if not ranks or min(ranks) < 1:
        raise Failure(INVALID, f"adapter_config.json has r {config['r']!r}: it must be a whole number of 1 or more")
    _check_shapes(ranks, tensors)
    return max(ranks)


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
    """Checks shapes against ranks. Experts that share a tensor have their ranks concatenated in it."""
    down = {name: tensor.shape for name, tensor in tensors.items() if name.endswith(DOWN)}
    if not down:
        raise Failure(
            INVALID, "adapter_model.safetensors holds no LoRA weights: no tensor's name ends in lora_A.weight"
        )
    for name, shape in down.items():
        if len(shape) == 2 and not any(shape[0] and shape[0] % rank == 0 for rank in ranks):
            known = ", ".join(map(str, sorted(ranks)))
            raise Failure(INVALID, f"{name} has rank {shape[0]}, and adapter_config.json has {known}")
