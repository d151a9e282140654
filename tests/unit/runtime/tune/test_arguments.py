"""What of the user's config reaches the libraries, and what does not because a promise would break."""

from typing import Any

import pytest

from api.configs.arguments import arguments_in
from api.configs.training import default_training_config, parse_training_config
from api.pods.tune import TuneConfig
from runtime.tune.train.arguments import (
    OURS,
    Device,
    Place,
    batch_of,
    evaluates_within,
    kept_checkpoints,
    lora_arguments,
    precision_of,
    quantization_arguments,
    sft_arguments,
)
from runtime.tune.train.batches import Batch

CPU, GPU, OLD_GPU = Place("cpu", True), Place("cuda", True), Place("cuda", False)


def config(method: str = "lora", *, processes: int = 1, model: str = "", **options: Any) -> TuneConfig:
    lines = [f"    {key}: {value}" for key, value in options.items()]
    packed = "  QuantizationConfig: {load_in_4bit: true}\n" if method == "qlora" else ""
    text = "training_config:\n" + packed + model + "  TrainingArguments:\n" + "\n".join(lines)
    return TuneConfig.model_validate(
        {
            "model": "org/model",
            "revision": "0" * 40,
            "weights_path": "/weights/0",
            "method": method,
            "training": parse_training_config(text) if options or packed or model else default_training_config(method),
            "output_folder": "/mnt/results",
            "processes": processes,
        }
    )


def arguments(place: Place = CPU, *, evaluates: bool = False, **options: Any) -> dict[str, Any]:
    return sft_arguments(config(**options), place, Batch(2, 3), longest=512, evaluates=evaluates)


def test_the_users_options_reach_trl() -> None:
    found = arguments(learning_rate=3e-4, lr_scheduler_type="cosine", num_train_epochs=2)
    assert (found["learning_rate"], found["lr_scheduler_type"], found["num_train_epochs"]) == (3e-4, "cosine", 2)


def test_options_that_the_training_needs_cannot_be_changed() -> None:
    found = arguments(
        output_dir="/mnt/results", save_only_model=True, save_total_limit=1, auto_find_batch_size=True,
        logging_nan_inf_filter=True, per_device_train_batch_size=64,
    )  # fmt: skip
    assert found["output_dir"] == "/mnt/checkpoints"
    assert found["logging_nan_inf_filter"] is False
    assert (found["per_device_train_batch_size"], found["gradient_accumulation_steps"]) == (2, 3)
    assert not {"save_only_model", "save_total_limit", "auto_find_batch_size"} & set(found)


def test_every_field_that_is_set_is_one_of_trls() -> None:
    known = arguments_in("training_arguments.yaml")
    assert set(arguments(packing=True, eval_strategy="steps", processes=2, evaluates=True)) <= set(known)
    assert set(OURS) <= set(known)


def test_rows_are_not_prepared_twice_and_packing_gets_its_length() -> None:
    assert arguments()["dataset_kwargs"] == {"skip_prepare_dataset": True}
    assert arguments()["max_length"] is None
    packed = arguments(packing=True)
    assert (packed["dataset_kwargs"], packed["max_length"]) == ({"skip_prepare_dataset": False}, 512)


@pytest.mark.parametrize(
    ("place", "options", "precision"),
    [
        (GPU, {}, "bfloat16"),
        (CPU, {}, "bfloat16"),
        (OLD_GPU, {}, "float16"),
        (GPU, {"fp16": True}, "float16"),
        (CPU, {"fp16": True}, "bfloat16"),
        (OLD_GPU, {"bf16": True}, "float16"),
        (GPU, {"bf16": False}, "float32"),
        (CPU, {"model": "  ModelConfig: {torch_dtype: float32}\n"}, "float32"),
    ],
)
def test_it_is_computed_in_what_the_device_can(place: Place, options: dict[str, Any], precision: str) -> None:
    assert precision_of(config(**options), place) == precision


@pytest.mark.parametrize(
    ("method", "device", "held_out", "within"),
    [("lora", "cpu", 5, True), ("lora", "cpu", 0, False), ("qlora", "cuda", 5, True), ("qlora", "cpu", 5, False)],
)
def test_packed_weights_on_a_cpu_are_not_evaluated_while_they_train(
    method: str, device: Device, held_out: int, within: bool
) -> None:
    asked = config(method, eval_strategy="steps", eval_steps=5)
    assert evaluates_within(asked, Place(device, True), held_out) is within


def test_without_evaluation_its_options_are_left_out() -> None:
    assert "eval_strategy" not in arguments(eval_strategy="steps", eval_steps=5)
    assert arguments(eval_strategy="steps", eval_steps=5, evaluates=True)["eval_steps"] == 5


def test_packed_weights_are_unpacked_to_what_the_device_can_compute() -> None:
    assert quantization_arguments(config("lora"), GPU) is None
    found = quantization_arguments(config("qlora"), GPU)
    assert found is not None and found["bnb_4bit_compute_dtype"] == "bfloat16" and found["load_in_4bit"] is True
    old = quantization_arguments(config("qlora"), OLD_GPU)
    assert old is not None and old["bnb_4bit_compute_dtype"] == "float16"


def test_the_adapter_is_of_every_linear_layer_unless_named() -> None:
    found = lora_arguments(config())
    assert (found["target_modules"], found["bias"], found["task_type"]) == ("all-linear", "none", "CAUSAL_LM")


def test_sizes_come_from_the_config() -> None:
    asked = config(per_device_train_batch_size=4, gradient_accumulation_steps=2, save_total_limit=3)
    assert (batch_of(asked), kept_checkpoints(asked)) == (Batch(4, 2), 3)
    assert (batch_of(config()), kept_checkpoints(config())) == (Batch(1, 1), 2)
