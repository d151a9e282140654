"""Validates the section TrainingArguments of `training_config.yaml`: trl's SFTConfig, key by key.

`training_arguments.yaml` lists all keys; this file defines which of them users may set, their bounds, old names
that are still accepted, and Modelyard's defaults.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from api.configs.arguments import Argument, arguments_in
from api.configs.fitting import fitted
from api.configs.mounted_paths import RESULTS, contained, writable
from api.configs.problem import Problem, without_effect

Options = dict[str, JsonValue]

DEFAULTS: Final[Mapping[str, JsonValue]] = {
    "output_dir": RESULTS,
    "per_device_train_batch_size": 1,  # KAITO's template; a larger one is the first thing that does not fit
    "learning_rate": 1e-4,  # trl's 2e-5 is for training whole models; an adapter learns next to nothing with it
    "max_length": 2048,  # trl cuts rows off at 1024 tokens; never more than the model was made for
    "gradient_checkpointing": True,
    "save_strategy": "steps",  # KAITO's "no" loses all work with the pod
    "save_steps": 50,
    "save_total_limit": 2,
    "logging_steps": 10,
    "report_to": ["none"],
    "seed": 42,
}
_RENAMED: Final[Mapping[str, str]] = {
    "max_seq_length": "max_length",
    "evaluation_strategy": "eval_strategy",
    "warmup_ratio": "warmup_steps",  # below 1 it is a share
    "no_cuda": "use_cpu",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
}
_HUB = "is refused: results go where tuning.output says"
_MACHINE = "is refused: processes and devices follow from the plan"
REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("push_to_hub", "hub_model_id", "hub_private_repo", "hub_always_push", "hub_revision"), _HUB),
    **dict.fromkeys(("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"), _HUB),
    "hub_token": "is refused: a ConfigMap is no place for a secret",
    **dict.fromkeys(("local_rank", "deepspeed", "fsdp", "fsdp_config", "parallelism_config", "ddp_backend"), _MACHINE),
    "resume_from_checkpoint": "is refused: a training resumes from its last checkpoint without it",
    "model_init_kwargs": "is refused: use the section ModelConfig",
}
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "learning_rate": (1e-9, 1),
    "num_train_epochs": (1e-3, 1000),
    "max_steps": (-1, 10**8),
    "per_device_train_batch_size": (1, 1024),
    "per_device_eval_batch_size": (1, 1024),
    "gradient_accumulation_steps": (1, 4096),
    "max_length": (1, 2**21),
    "warmup_steps": (0, 10**8),
    "weight_decay": (0, 1),
    "adam_beta1": (0, 0.999999999),
    "adam_beta2": (0, 0.999999999),
    "max_grad_norm": (0, 1000),
    "label_smoothing_factor": (0, 1),
    "save_steps": (1e-6, 10**8),
    "eval_steps": (1e-6, 10**8),
    "logging_steps": (1e-6, 10**8),
    "save_total_limit": (1, 100),
    "seed": (0, 2**32 - 1),
    "data_seed": (0, 2**32 - 1),
    "dataloader_num_workers": (0, 64),
    "dataset_num_proc": (1, 64),
    "neftune_noise_alpha": (0, 1000),
}
_OPTIMIZERS: Final = ("adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop", "adamw_8bit")
_OF_BITSANDBYTES: Final = ("_bnb", "paged_", "lion_", "ademamix")
"""The others need packages that the training image does not hold."""


def training_options(section: Mapping[str, JsonValue]) -> tuple[Options, list[Problem], list[Problem]]:
    """The options to train with, what is wrong, and what has no effect: (key, sentence) each."""
    known = arguments_in("training_arguments.yaml")
    chosen: Options = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for key, value in section.items():
        name = _RENAMED.get(key, key)
        if name not in known:
            continue
        if name != key:
            warnings.append((key, f"is read as {name}, its current name"))
        try:
            _take(chosen, name, value, known[name])
        except ValueError as error:
            problems.append((key, str(error)))
    unknown = [key for key in section if _RENAMED.get(key, key) not in known]
    return dict(DEFAULTS) | chosen, problems, warnings + without_effect(unknown, known)


def _take(chosen: Options, name: str, value: JsonValue, argument: Argument) -> None:
    """Raises ValueError with the sentence about this key."""
    if value is None:
        return
    if name in REFUSED:
        if value is False or value in ("", [], {}):  # what it is by itself; written out in many templates
            return
        raise ValueError(f"{REFUSED[name]}; remove it")
    if name in chosen:
        raise ValueError(f"is given twice; {name} is the current name; keep one")
    if value is False and "no" in argument.choices:
        value = "no"  # YAML reads an unquoted no as false
    if name == "output_dir" and not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    fit = fitted(value, argument)
    _check(name, fit)
    chosen[name] = writable(str(fit)) if name == "output_dir" else fit


def _check(name: str, value: JsonValue) -> None:
    low, high = _RANGES.get(name, (None, None))
    if low is not None and high is not None and isinstance(value, int | float) and not low <= value <= high:
        raise ValueError(f"must be from {low:.12g} to {high:.12g}, not {value}")
    if name == "chat_template_path":
        contained(str(value))
    if name == "optim" and not (value in _OPTIMIZERS or any(part in str(value) for part in _OF_BITSANDBYTES)):
        raise ValueError(f"{value!r} needs a package that the training image does not hold; use adamw_torch_fused")
    if name == "report_to" and value not in (["none"], []):
        raise ValueError("must be none: the image has no tracker client; metrics are on the pod's /metrics")
