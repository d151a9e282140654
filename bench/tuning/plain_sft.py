"""The training that a user of trl writes from its documentation, and nothing more; runs in the runtime environment.

`plain_sft.py SETTINGS` reads a JSON file: model, data, options of SFTConfig, options of LoraConfig, for QLoRA those of
BitsAndBytesConfig, the file that records each step and, where wanted, the one for the result. `bench` compares
`runtime.tune` with it, so it imports nothing of ours.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import BitsAndBytesConfig, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Noting(TrainerCallback):  # type: ignore[misc]
    """Records the total of tokens after every step, as counted by trl itself."""

    def __init__(self, file: Path) -> None:
        self.trainer: Any = None
        self._file = file

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Appends a line to the file."""
        done = {"step": state.global_step, "tokens": int(self.trainer._total_train_tokens), "time": time.time()}
        with self._file.open("a") as lines:
            lines.write(json.dumps(done) + "\n")


def main(settings: dict[str, Any]) -> None:
    """Returns when the adapter is trained."""
    noting = Noting(Path(settings["record"]))
    packing = settings.get("quantization")
    trainer = SFTTrainer(
        model=settings["model"],
        args=SFTConfig(**settings["training"]),
        train_dataset=load_dataset("json", data_files=settings["data"], split="train"),
        peft_config=LoraConfig(**settings["lora"]),
        quantization_config=BitsAndBytesConfig(**packing) if packing else None,
    )
    noting.trainer = trainer
    trainer.add_callback(noting)
    trainer.train()
    if "result" in settings:
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        Path(settings["result"]).write_text(json.dumps({"losses": losses, "peak_memory_bytes": peak_memory_bytes()}))


def peak_memory_bytes() -> int:
    """Of the accelerator, by torch's count, or of this process without one."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_bytes()))
