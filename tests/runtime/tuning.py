"""Trainings of a tiny model, run as a pod runs them: `python -m runtime.tune` in the runtime environment."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.configs.training import parse_training_config
from api.pods.tune import STATUS_FILE, STEPS_FILE, SUMMARY_FILE, TrainingSummary, TuneConfig, TuneStatus
from deploy.local.images.runtime_env import ENVIRONMENT
from deploy.local.services.modelyard import ON_SHARED_CPUS
from testing.ports import free_port

PYTHON = ENVIRONMENT / "bin" / "python"
# 20 s alone on 2 cores, most of it imports; the rest is for a machine that builds beside.
ENDS_S = 280.0
ANIMALS = ("cat", "dog", "fox", "hen", "cow", "owl")
ROWS = [{"prompt": f"{a} and {b}?", "completion": f"{b} {a}"} for a in ANIMALS for b in ANIMALS]


def settings(*, method: str = "lora", more: str = "", split: float = 1, **options: Any) -> str:
    """training_config.yaml; 24 steps in 4 epochs unless the options say otherwise."""
    chosen = {
        "num_train_epochs": 4, "per_device_train_batch_size": 6, "learning_rate": 2e-2, "save_steps": 5, "bf16": False,
        "gradient_checkpointing": False, "lr_scheduler_type": "linear",
    }  # fmt: skip
    packed = "QuantizationConfig: {load_in_4bit: true, bnb_4bit_compute_dtype: float32}" if method == "qlora" else ""
    sections = [
        "ModelConfig: {torch_dtype: float32}" if "ModelConfig" not in more else "",
        packed,
        "LoraConfig: {r: 8, lora_alpha: 16, lora_dropout: 0.05}",
        f"DatasetConfig: {{train_test_split: {split}}}" if "DatasetConfig" not in more else "",
        f"TrainingArguments: {json.dumps(chosen | options)}",
        more,
    ]
    return "training_config:\n" + "\n".join(f"  {section}" for section in sections if section)


@dataclass
class Training:
    """One training, in a folder of its own; it may be started several times, as pods are."""

    folder: Path
    model: Path
    text: str = field(default_factory=settings)
    method: str = "lora"
    rows: list[dict[str, Any]] = field(default_factory=lambda: ROWS)
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(row) for row in self.rows]
        (self.folder / "data" / "rows.jsonl").write_text("\n".join(lines))
        self.port = free_port()
        told = {
            "model": "org/tiny", "revision": "a" * 40, "weights_path": str(self.model), "method": self.method,
            "training": parse_training_config(self.text, remote_code_allowed=True),
            "data_folder": str(self.folder / "data"),
            "output_folder": str(self.folder / "results"), "checkpoint_folder": str(self.checkpoints),
            "weights_deadline_s": 0, "port": self.port,
        }  # fmt: skip
        config = TuneConfig.model_validate(told | self.more)
        (self.folder / "tune.json").write_text(config.model_dump_json())

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def status(self) -> TuneStatus:
        file = self.checkpoints / STATUS_FILE
        return TuneStatus.model_validate_json(file.read_bytes()) if file.exists() else TuneStatus()

    @property
    def summary(self) -> TrainingSummary:
        return TrainingSummary.model_validate_json((self.results / SUMMARY_FILE).read_bytes())

    def steps(self) -> list[dict[str, Any]]:
        """Every step that was ever trained."""
        return [json.loads(line) for line in (self.checkpoints / STEPS_FILE).read_text().splitlines()]

    def start(self, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        """As a group of its own, so that all of it can be lost at once."""
        argv = [*prefix, str(PYTHON), "-m", "runtime.tune", "--config", str(self.folder / "tune.json")]
        with (self.folder / "log").open("ab") as stream:
            return subprocess.Popen(
                argv,
                stdout=stream,
                stderr=stream,
                cwd=ENVIRONMENT.parent,
                start_new_session=True,
                env=os.environ | ON_SHARED_CPUS,
            )

    def run(self) -> int:
        """The exit code."""
        process = self.start()
        try:
            return process.wait(ENDS_S)
        finally:
            lose(process)

    def wait_until(self, condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
        ends = time.monotonic() + ENDS_S
        while not condition():
            assert process.poll() is None, f"it ended with {process.returncode}:\n{self.log[-3000:]}"
            assert time.monotonic() < ends, f"not within {ENDS_S:g} s:\n{self.log[-3000:]}"
            time.sleep(0.02)


def lose(process: "subprocess.Popen[bytes]") -> None:
    """Every process of it gone at once, without a word, as when a node is lost."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def make_model(folder: Path, kind: str = "") -> Path:
    """The folder of a tiny model."""
    argv = [str(PYTHON), str(Path(__file__).with_name("tiny_model.py")), str(folder), kind]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=ENDS_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder
