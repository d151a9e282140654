"""Run in the runtime environment: trains a tiny model with trl's trainer and with ours, and prints the losses of both.

`comparing_losses.py FOLDER CASES`: a case is more options of SFTConfig, by its name; CASES is JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from tiny_model import main as make_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from runtime.tune.following import Following
from runtime.tune.trainer import Trainer

OPTIONS = {
    "per_device_train_batch_size": 3, "max_steps": 4, "learning_rate": 2e-2, "bf16": False, "use_cpu": True, "seed": 7,
    "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True, "save_strategy": "no",
    "logging_steps": 1, "max_length": None, "dataset_kwargs": {"skip_prepare_dataset": True},
    "completion_only_loss": False,
}  # fmt: skip


def losses(kind: type[SFTTrainer], folder: Path, more: dict[str, Any]) -> list[float]:
    torch.manual_seed(7)
    model = str(folder / "model")
    # Of different lengths, the first tokens not learnt.
    rows = [{"input_ids": list(range(9, 20 + n)), "labels": [-100] * (n % 5 + 1) + list(range(10 + n % 5, 20 + n))}
            for n in range(12)]  # fmt: skip
    dataset = Dataset.from_list(rows)
    trainer = kind(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=SFTConfig(**OPTIONS | more, output_dir=str(folder / "out")),
        train_dataset=dataset,
        eval_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.following = Following(None)
    trainer.train()
    trained = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return [*trained, trainer.evaluate()["eval_loss"]]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    make_model(folder / "model", "")
    cases = json.loads(sys.argv[2]).items()
    print(json.dumps({name: [losses(kind, folder, more) for kind in (SFTTrainer, Trainer)] for name, more in cases}))
