"""The training that a user of trl writes from its documentation, and nothing more; runs in the runtime environment.

`plain_sft.py SETTINGS` reads a JSON file: model, data, options of SFTConfig, options of LoraConfig, and the file that
records each step. `measure.py` compares `runtime.tune` with it, so it imports nothing of ours.
"""

import json
import sys
from pathlib import Path
from typing import Any

from datasets import load_dataset
from peft import LoraConfig
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer


class Noting(TrainerCallback):  # type: ignore[misc]
    """Records the total of tokens after every step, as counted by trl itself."""

    def __init__(self, file: Path) -> None:
        self.trainer: Any = None
        self._file = file

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Appends a line to the file."""
        with self._file.open("a") as lines:
            lines.write(json.dumps({"step": state.global_step, "tokens": int(self.trainer._total_train_tokens)}) + "\n")


def main(settings: dict[str, Any]) -> None:
    """Returns when the adapter is trained."""
    noting = Noting(Path(settings["record"]))
    trainer = SFTTrainer(
        model=settings["model"],
        args=SFTConfig(**settings["training"]),
        train_dataset=load_dataset("json", data_files=settings["data"], split="train"),
        peft_config=LoraConfig(**settings["lora"]),
    )
    noting.trainer = trainer
    trainer.add_callback(noting)
    trainer.train()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_bytes()))
