"""The parts `tune-*`: steps per second, memory and loss of `runtime.tune` and of a plain script with trl.

The script is `bench/tuning/plain_sft.py`. Both have the same rows in the same order, the same settings and seed.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any, Final, Literal

from api.configs.training import TrainingConfig, parse_training_config
from api.pods.tune import STEPS_FILE, SUMMARY_FILE, TrainingSummary, TuneConfig
from bench.gpu.figures import last_loss, steps_per_s
from bench.gpu.machine.device import GIB, peak_of
from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import Deadline, Program, run
from bench.gpu.machine.sizes import Size
from bench.gpu.machine.weights import REVISION
from bench.ports import free_port
from bench.tuning.measure import SCRIPT

Method = Literal["lora", "qlora"]
LORA: Final = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}
WORDS: Final = 200
"""Different words in the rows: few, so that a few steps learn which they are."""


def results_folder(place: Place, method: Method) -> Path:
    """Where our training leaves the adapter."""
    return place.folder / f"tune-{method}" / "results"


def tune(place: Place, method: Method, deadline: Deadline) -> dict[str, float]:
    """`runtime.tune`. Raises PartFailed, ValueError."""
    folder = place.new_folder(f"tune-{method}")
    rows = written_rows(folder / "data" / "rows.jsonl", place.size)
    config = TuneConfig(
        model=place.weights.repo,
        revision=REVISION,
        weights_path=str(place.weights.folder),
        method=method,
        training=training_config(place, method),
        data_folder=str(rows.parent),
        output_folder=str(results_folder(place, method)),
        checkpoint_folder=str(folder),
        weights_deadline_s=0,
        port=free_port(),
    )
    file = folder / "tune.json"
    file.write_text(config.model_dump_json())
    figures = _run([sys.executable, "-m", "runtime.tune", "--config", str(file)], folder, place, deadline)
    steps = _lines(folder / STEPS_FILE)
    summary = TrainingSummary.model_validate_json((results_folder(place, method) / SUMMARY_FILE).read_bytes())
    loss = last_loss([step["loss"] for step in steps], place.size.logging_steps)
    found = {"torch_memory_gib": summary.peak_memory_bytes / GIB, "last_loss": loss}
    return figures | _of_steps(steps, place.size) | found


def tune_plain(place: Place, method: Method, deadline: Deadline) -> dict[str, float]:
    """The script. Raises PartFailed, ValueError."""
    folder = place.new_folder(f"tune-{method}-plain")
    rows = written_rows(folder / "rows.jsonl", place.size)
    record, result, file = folder / STEPS_FILE, folder / "result.json", folder / "settings.json"
    packing = quantization(place.size) if method == "qlora" else None
    given = {"model": str(place.weights.folder), "data": str(rows), "record": str(record), "result": str(result)}
    settings = {"training": _plain_training(place, folder), "lora": LORA | {"task_type": "CAUSAL_LM"}}
    file.write_text(json.dumps(given | settings | {"quantization": packing}))
    figures = _run([sys.executable, str(SCRIPT), str(file)], folder, place, deadline)
    told = json.loads(result.read_bytes())
    found = {"torch_memory_gib": told["peak_memory_bytes"] / GIB, "last_loss": told["losses"][-1]}
    return figures | _of_steps(_lines(record), place.size) | found


def training_config(place: Place, method: Method) -> TrainingConfig:
    """training_config.yaml of our training."""
    size = place.size
    sections = {
        # Rows are trained on as they are: the script's tokenizer has no other template either.
        "ModelConfig": {"torch_dtype": size.dtype, "chat_template": ""},
        "QuantizationConfig": quantization(size) if method == "qlora" else {},
        "LoraConfig": LORA,
        "DatasetConfig": {"train_test_split": 1, "shuffle_dataset": False},
        "TrainingArguments": _arguments(size) | {"bf16": size.dtype == "bfloat16"},
    }
    return parse_training_config(json.dumps({"training_config": sections}))


def quantization(size: Size) -> dict[str, Any]:
    """How QLoRA packs the weights: 4 bits, as the product does by default."""
    return {
        "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": size.dtype,
    }  # fmt: skip


def written_rows(file: Path, size: Size) -> Path:
    """Writes prompts and answers of many lengths, the same each time: enough that no row is trained on twice."""
    numbers = random.Random(5)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lines:
        for _ in range(size.rows_a_step * size.steps):
            words = [f"w{numbers.randrange(WORDS)}" for _ in range(numbers.randint(*size.words))]
            lines.write(json.dumps({"prompt": "w1 w2 w3", "completion": " " + " ".join(words)}) + "\n")
    return file


def _arguments(size: Size) -> dict[str, Any]:
    return {
        "per_device_train_batch_size": size.rows_a_step, "max_steps": size.steps, "learning_rate": 2e-3,
        "max_length": size.max_length, "seed": 7, "gradient_checkpointing": True, "save_strategy": "no",
        "logging_steps": size.logging_steps,
    }  # fmt: skip


def _plain_training(place: Place, folder: Path) -> dict[str, Any]:
    return _arguments(place.size) | {
        "output_dir": str(folder / "out"),
        "bf16": place.size.dtype == "bfloat16",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": place.device == "cpu",
        "model_init_kwargs": {"dtype": place.size.dtype, "device_map": {"": "cpu" if place.device == "cpu" else 0}},
    }


def _run(argv: list[str], folder: Path, place: Place, deadline: Deadline) -> dict[str, float]:
    # Threads that wait by computing take shared CPUs from those that work: two minutes a step instead of seconds.
    shared = {"OMP_WAIT_POLICY": "PASSIVE"} if place.device == "cpu" else {}
    with peak_of(place.memory_in_use) as peak:
        run(Program(argv, folder / "log", {**place.environment, **shared}), deadline)
    return {"device_memory_gib": peak.value / GIB, "whole_s": deadline.seconds - deadline.left}


def _of_steps(steps: list[dict[str, Any]], size: Size) -> dict[str, float]:
    moments = [step["time"] for step in steps]
    return {"steps_per_s": steps_per_s(moments, size.warm_up_steps), "tokens": steps[-1]["tokens"]}


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]
