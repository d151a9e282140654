"""Loads the base model, packed or not, onto this process's device, and checks that it has the adapter's modules."""

import re
from collections.abc import Iterable
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig
from peft.tuners.tuners_utils import check_target_module_exists
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D

from api.configs.servable import embedding_problem, lora_problems
from api.pods.tune import TuneConfig
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.tune.failures import MODEL_NOT_TUNABLE
from runtime.tune.processes.progress_pipe import ProgressPipe
from runtime.tune.train.arguments import Place, lora_arguments, quantization_arguments


def this_place() -> Place:
    """Detects this machine's hardware."""
    if torch.cuda.is_available():
        # Emulated bfloat16, as on V100 and T4, is slower than float32.
        return Place("cuda", bfloat16=torch.cuda.is_bf16_supported(including_emulation=False))
    return Place("cpu", bfloat16=True)


def device_name(place: Place) -> str:
    """Returns the device's display name."""
    return torch.cuda.get_device_name() if place.device == "cuda" else "cpu"


def load_model(config: TuneConfig, place: Place) -> Any:
    """Loads the base model for training or evaluation. Raises Failure if it cannot be tuned."""
    options: dict[str, Any] = {"trust_remote_code": config.training.model.trust_remote_code}
    dtype = config.training.model.torch_dtype
    if dtype == "bfloat16" and not place.bfloat16:
        dtype = "float16"
    options["dtype"] = dtype if dtype == "auto" else getattr(torch, dtype)
    packed = quantization_arguments(config, place)
    if packed is not None:
        options["quantization_config"] = BitsAndBytesConfig(**packed)
    options["device_map"] = _device_map(config, place)
    try:
        return AutoModelForCausalLM.from_pretrained(config.weights_path, **options)
    except (OSError, ValueError, KeyError) as error:
        raise Failure(MODEL_NOT_TUNABLE, f"{config.model} cannot be loaded for training: {error}") from error


def adapter_config(config: TuneConfig, model: nn.Module, pipe: ProgressPipe) -> LoraConfig:
    """Returns the adapter's config. Raises Failure if the model has none of its target modules."""
    wanted = lora_arguments(config)
    names = wanted["target_modules"]
    if isinstance(names, list):
        wanted["target_modules"] = _there(names, model, pipe)
    elif names != "all-linear":
        _check_pattern(names, model)
    made = LoraConfig(**wanted)
    problems = lora_problems(made.to_dict())
    if problems:
        raise Failure(CONFIG_INVALID, "; ".join(f"LoraConfig.{key}: {why}" for key, why in problems))
    if made.target_modules != "all-linear":
        _check_modules(made, model)
    return made


def _device_map(config: TuneConfig, place: Place) -> Any:
    if place.device == "cpu":
        return None if not config.training.quantization.quantizes else {"": "cpu"}
    if config.processes > 1:
        return {"": PartialState().local_process_index}
    asked = config.training.model.device_map
    # On one GPU "auto" would offload layers to main memory, where they cannot be trained; failing is better.
    return {"": 0} if asked == "auto" and torch.cuda.device_count() == 1 else asked


def _there(names: Iterable[str], model: nn.Module, pipe: ProgressPipe) -> list[str]:
    """Returns the modules that the model has. KAITO's list for Phi-3 names five modules that Phi-3 does not have."""
    modules = [name for name, _ in model.named_modules()]
    asked = list(names)
    found = [name for name in asked if any(m == name or m.endswith(f".{name}") for m in modules)]
    missing = [name for name in asked if name not in found]
    if not found:
        raise Failure(
            CONFIG_INVALID, f"LoraConfig.target_modules: the model has none of {', '.join(asked)}; {_has(model)}"
        )
    if missing:
        pipe.warn(f"target_modules: the model has no {', '.join(missing)}, so no adapter there; {_has(model)}")
    return found


def _check_modules(lora: LoraConfig, model: nn.Module) -> None:
    """Raises Failure about the first module that is meant and that cannot be trained, or not served afterwards. peft
    itself is asked what is meant: names, expressions, layers, exclusions."""
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    for name, module in model.named_modules():
        if not name or not check_target_module_exists(lora, name):
            continue
        text = None
        if module is head:
            text = f"{name} is the model's head, which cannot be trained: the loss is computed past it"
        elif isinstance(module, nn.Embedding):
            text = embedding_problem(name, type(model).__name__)
        elif not isinstance(module, nn.Linear | Conv1D):
            text = f"{name} is a {type(module).__name__} and no linear module"
        if text:
            raise Failure(CONFIG_INVALID, f"LoraConfig.target_modules: {text}; {_has(model)}")


def _check_pattern(pattern: str, model: nn.Module) -> None:
    try:
        found = any(re.fullmatch(pattern, name) for name, _ in model.named_modules())
    except re.error as error:
        words = f"LoraConfig.target_modules: {pattern!r} is no regular expression ({error})"
        raise Failure(CONFIG_INVALID, f"{words}; {_has(model)}") from error
    if not found:
        raise Failure(CONFIG_INVALID, f"LoraConfig.target_modules: {pattern!r} matches no module; {_has(model)}")


def _has(model: nn.Module) -> str:
    """Lists the model's linear modules by the last part of their names."""
    linear = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return f"it has {', '.join(sorted(linear - {'lm_head'}))}, or use all-linear"
