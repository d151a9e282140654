"""Run in the runtime environment: has the libraries of a training fail, and prints what each failure is taken for.

`failing_libraries.py FOLDER`: the last line is JSON, {case: [reason, exception, message]}. The cases' names begin with
`again` where another start would meet the same, and with `may pass` otherwise.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow as pa
import torch
from jinja2 import Environment
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig

from runtime.tune.classify import failure_of


def model() -> LlamaForCausalLM:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes))


class Killed:
    """Its process is killed, as the kernel does without memory."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, at: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return at


def unknown_model(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "nothing-known"}')
    AutoConfig.from_pretrained(folder)


def broken_weights(folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(b"\xff" * 64)
    load_file(folder / "x.safetensors")


def nobody_listens(folder: Path) -> None:
    torch.distributed.TCPStore("127.0.0.1", 9, is_master=False, timeout=torch.distributed.timedelta(seconds=1))


def no_hub(folder: Path) -> None:
    huggingface_hub.hf_hub_download("org/model", "config.json", cache_dir=folder, endpoint="http://127.0.0.1:9")


CASES: Mapping[str, Callable[[Path], Any]] = {
    "again: no module has the name": lambda _: get_peft_model(model(), LoraConfig(target_modules=["nothing"])),
    "again: a module that takes no adapter": lambda _: get_peft_model(
        model(), LoraConfig(target_modules=["input_layernorm"])
    ),
    "again: an argument that is not known": lambda _: SFTConfig(nothing=1),
    "again: a value that is not known": lambda _: SFTConfig(optim="nothing"),
    "again: sizes that do not fit": lambda _: torch.zeros(2, 3) @ torch.zeros(4, 5),
    "again: weights of another model": lambda _: model().load_state_dict({"x": torch.zeros(1)}),
    "again: a token beyond the vocabulary": lambda _: model()(input_ids=torch.tensor([[99]])),
    "again: a model that is not known": unknown_model,
    "again: a template that is none": lambda _: Environment().from_string("{% if %}"),
    "again: a schema that does not fit": lambda _: pa.array(["x"]).cast(pa.int32()),
    "again: weights that are none": broken_weights,
    "may pass: nobody listens": nobody_listens,
    "may pass: no hub": no_hub,
    "may pass: a worker was killed": lambda _: list(DataLoader(Killed(), num_workers=1)),
    "may pass: a file that is gone": lambda folder: (folder / "gone").read_bytes(),
}


def main(folder: Path) -> None:
    found = {}
    for name, fails in CASES.items():
        try:
            fails(folder)
            found[name] = ["nothing failed", "", ""]
        except Exception as error:
            failure = failure_of(error, folder, stepped=False)
            found[name] = [failure.kind.reason, type(error).__name__, str(error)[:300]]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
