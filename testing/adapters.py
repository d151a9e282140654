"""Adapters for tests and measurements: folders as training leaves them, with the same random weights each time."""

import hashlib
import json
import random
from array import array
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from api.pods.tune import ADAPTER_CONFIG, ADAPTER_WEIGHTS, SUMMARY_FILE, Rows, TrainingSummary

CHUNK = 2**20


def write_adapter(folder: Path, size: int = 300_000, seed: int = 1, summary: bool = True) -> Path:
    """Writes an adapter with `size` bytes of incompressible weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ADAPTER_CONFIG).write_text(json.dumps({"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}))
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    _write_weights(folder / ADAPTER_WEIGHTS, size, random.Random(seed))
    if summary:
        names = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, "tokenizer.json")
        files = {name: _sha256(folder / name) for name in names}
        (folder / SUMMARY_FILE).write_text(a_summary(files).model_dump_json())
    return folder


def a_summary(files: dict[str, str]) -> TrainingSummary:
    """Returns what training would have recorded."""
    return TrainingSummary(
        base_model="acme/tiny",
        base_revision="0" * 40,
        method="lora",
        rank=8,
        target_modules=["q_proj"],
        config_digest="c" * 64,
        data_digest="d" * 64,
        data_files=["train.jsonl"],
        rows=Rows(read=10, trained=9, tokens=1234),
        steps=12,
        epochs=3.0,
        seed=42,
        loss=0.25,
        eval_loss=0.5,
        seconds=7.5,
        batch_size=2,
        accumulation=1,
        files=files,
    )


def _write_weights(file: Path, size: int, numbers: random.Random) -> None:
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for start in range(0, size, CHUNK):
            stream.write(numbers.randbytes(min(CHUNK, size - start)))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_lora(
    folder: Path, modules: Mapping[str, tuple[int, int]], *, rank: int, zeros: Collection[str] = (), **more: Any
) -> Path:
    """Writes a LoRA adapter of (out, in) matrices: random 32-bit `lora_A` and `lora_B`, alpha twice the rank. `zeros`
    names matrices that are zero, as in `model.layers.0.q_proj.lora_B`."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = sorted({name.rpartition(".")[2] for name in modules})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "org/m", "bias": "none"}
    numbers = {"r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0, "target_modules": targets}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config | numbers | more))
    shapes = {
        f"base_model.model.{name}.lora_{which}.weight": shape
        for name, (outs, ins) in modules.items()
        for which, shape in (("A", (rank, ins)), ("B", (outs, rank)))
    }
    header, at = {}, 0
    for name, (rows, columns) in shapes.items():
        size = 4 * rows * columns
        header[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [at, at + size]}
        at += size
    packed, chance = json.dumps(header).encode(), random.Random(7)
    values = array("f")
    for name, (rows, columns) in shapes.items():
        idle = name.removeprefix("base_model.model.").removesuffix(".weight") in zeros
        values.extend(0.0 if idle else chance.gauss(0, 0.05) for _ in range(rows * columns))
    (folder / ADAPTER_WEIGHTS).write_bytes(len(packed).to_bytes(8, "little") + packed + values.tobytes())
    return folder
