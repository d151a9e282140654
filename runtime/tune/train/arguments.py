"""Converts the training config into keyword arguments of trl, peft and bitsandbytes, in pure functions.

The user's settings take precedence, except those that would break a guarantee: resuming after a lost pod, results in
the expected place, correct numbers.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from api.pods.tune import TuneConfig
from runtime.tune.train.batches import Batch

Device = Literal["cpu", "cuda"]
Precision = Literal["bfloat16", "float16", "float32"]

OURS: Final = (
    "output_dir", "save_total_limit", "save_only_model", "enable_jit_checkpoint", "auto_find_batch_size",
    "per_device_train_batch_size", "gradient_accumulation_steps", "report_to", "logging_nan_inf_filter", "do_train",
    "do_eval", "do_predict", "max_length", "truncation_mode", "completion_only_loss", "assistant_only_loss",
    "chat_template_path", "eos_token", "dataset_text_field", "dataset_kwargs", "dataset_num_proc", "use_cpu", "bf16",
    "fp16", "disable_tqdm", "load_best_model_at_end", "hub_token", "include_num_input_tokens_seen",
)  # fmt: skip
"""Fields of SFTConfig that are set below or were applied before the trainer is created."""
_EVALUATION: Final = ("eval_strategy", "eval_steps", "eval_delay", "eval_on_start", "metric_for_best_model")


@dataclass(frozen=True)
class Place:
    """The hardware that a training runs on."""

    device: Device
    bfloat16: bool
    """Whether the device supports it."""


def batch_of(config: TuneConfig) -> Batch:
    """Returns the configured batch; shrinking it after running out of memory is left to `tune/steps.py`."""
    options = config.training.training
    return Batch(
        int(str(options.get("per_device_train_batch_size") or 1)),
        int(str(options.get("gradient_accumulation_steps") or 1)),
    )


def kept_checkpoints(config: TuneConfig) -> int:
    """Returns how many complete checkpoints are kept on the disk."""
    return max(1, int(str(config.training.training.get("save_total_limit") or 2)))


def precision_of(config: TuneConfig, place: Place) -> Precision:
    """Returns the precision to compute in: the user's choice if the device supports it."""
    asked = config.training.training
    if asked.get("fp16"):
        return "float16" if place.device == "cuda" else "bfloat16"
    if asked.get("bf16") is False:
        return "float32"
    if config.training.model.torch_dtype == "float32" and asked.get("bf16") is None:
        return "float32"
    return "bfloat16" if place.bfloat16 else "float16"


def evaluates_within(config: TuneConfig, place: Place, held_out: int) -> bool:
    """Returns whether held-out rows are evaluated during training, in the training's own process.

    Never with packed weights on a CPU: there a forward pass in evaluation mode repacks them into a form without
    gradients (bitsandbytes 0.50, nn/modules.py), which breaks the training afterwards.
    """
    asked = config.training.training.get("eval_strategy") not in (None, "no")
    return asked and held_out > 0 and not (place.device == "cpu" and config.training.quantization.quantizes)


def sft_arguments(config: TuneConfig, place: Place, batch: Batch, *, longest: int, evaluates: bool) -> dict[str, Any]:
    """Returns the arguments of trl's SFTConfig."""
    given = {name: value for name, value in config.training.training.items() if name not in OURS and value is not None}
    if not evaluates:
        given = {name: value for name, value in given.items() if name not in _EVALUATION}
    # A batch that fits in training fits in evaluation; trl's default of 8 rows may not.
    given.setdefault("per_device_eval_batch_size", batch.size)
    packs = bool(given.get("packing"))
    precision = precision_of(config, place)
    wanted = {
        "output_dir": config.checkpoint_folder,
        "per_device_train_batch_size": batch.size,
        "gradient_accumulation_steps": batch.accumulation,
        "use_cpu": place.device == "cpu",
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        # Rows have their tokens, labels and length already; packing lays them end to end, up to a length.
        "dataset_kwargs": {"skip_prepare_dataset": not packs},
        "max_length": longest if packs else None,
        "completion_only_loss": False,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,
        "load_best_model_at_end": evaluates and bool(config.training.training.get("load_best_model_at_end")),
    }
    if config.processes > 1:
        # Every trained parameter is used in every step; searching for unused ones costs a pass over the graph.
        given.setdefault("ddp_find_unused_parameters", False)
    return given | _padding(config) | wanted


def lora_arguments(config: TuneConfig) -> dict[str, Any]:
    """Returns the arguments of peft's LoraConfig."""
    return {**config.training.lora.model_dump(), "task_type": "CAUSAL_LM"}


def quantization_arguments(config: TuneConfig, place: Place) -> dict[str, Any] | None:
    """Returns the arguments of transformers' BitsAndBytesConfig; None without quantization."""
    asked = config.training.quantization
    if not asked.quantizes:
        return None
    wanted = asked.model_dump(exclude_none=True)
    if not place.bfloat16 and wanted["bnb_4bit_compute_dtype"] == "bfloat16":
        wanted["bnb_4bit_compute_dtype"] = "float16"
    return wanted


def _padding(config: TuneConfig) -> dict[str, Any]:
    multiple = config.training.collator.pad_to_multiple_of
    return {} if multiple is None else {"pad_to_multiple_of": multiple}
