"""Tokens per second of `runtime.tune` against a plain script with trl (`plain_sft.py`), and what packing adds.

Both have the same model, rows, order, settings and seed. The three runs do one step each in turn (`turns.py`). A step
has the same rows on both sides, so the two are compared step by step, after the warm-up. A packed row is as long as
max_length: about as many tokens as a step of the others has. Needs the runtime environment and no cluster.
"""

import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from api.configs.training import parse_training_config
from api.pods.tune import STEPS_FILE, TuneConfig
from bench.ports import free_port
from bench.results import Result, print_all
from bench.tuning.turns import Program, in_turn
from deploy.local.images.runtime_env import ensure_runtime_venv
from deploy.local.layout import REPOSITORY, Layout
from deploy.local.mirror.repositories.catalog import SMOLLM2, ensure_repos, repositories_folder

BATCH: Final = 4
STEPS: Final = 32
PACKED: Final = {"packing": True, "per_device_train_batch_size": 1}
WARM_UP: Final = 2
"""Steps that are left out: the first ones allocate memory and choose kernels."""
STEP_S: Final = 300.0
SCRIPT: Final = Path(__file__).with_name("plain_sft.py")
LORA: Final = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}
TRAINING: Final = {
    "per_device_train_batch_size": BATCH, "max_steps": STEPS + 1, "learning_rate": 1e-4, "max_length": 512, "seed": 7,
    "gradient_checkpointing": False, "save_strategy": "no", "logging_steps": 10,
}  # fmt: skip
# Lengths as they come: a batch is as long as its longest row.
WORDS: Final = (8, 180)


def measure(folder: Path) -> Iterator[Result]:
    """Yields the figures; the folder is used for rows, checkpoints and records. Raises ProgramEnded."""
    layout = Layout.of()
    python = ensure_runtime_venv(layout.cache, layout.logs / "runtime-environment.log", _log)
    ensure_repos(layout.cache, _log)
    model = repositories_folder(layout.cache) / "models" / SMOLLM2 / "main"
    data = written_rows(folder / "data" / "rows.jsonl")
    programs = {
        "ours": _ours(python, model, data, folder / "ours"),
        "plain": _plain(python, model, data, folder / "plain"),
        "packed": _ours(python, model, data, folder / "packed", **PACKED),
    }
    seconds = in_turn(programs, STEPS, step_s=STEP_S)
    tokens = {name: tokens_of(program.record) for name, program in programs.items()}
    for name, found in seconds.items():
        _log(f"tuning, {name}, seconds of each step: {' '.join(f'{second:.2f}' for second in found)}")
    yield from results_of(seconds, tokens)


def results_of(seconds: Mapping[str, Sequence[float]], tokens: Mapping[str, Sequence[int]]) -> Iterator[Result]:
    """Yields the figures from each step's seconds and tokens. Raises ValueError if both sides differ in a step's
    tokens."""
    if list(tokens["ours"]) != list(tokens["plain"]):
        raise ValueError(f"the rows of the steps differ: {tokens['ours']} tokens of ours, {tokens['plain']} of trl's")
    speeds = {name: speed(seconds[name], tokens[name]) for name in seconds}
    how = f"SmolLM2-135M, LoRA, {BATCH} rows a step; {STEPS - WARM_UP} steps, all their tokens by all their seconds"
    names = {"ours": "runtime.tune", "plain": "a plain script with trl", "packed": "runtime.tune with packing: true"}
    for name, words in names.items():
        yield Result(f"tuning_{name}_tokens_per_s", speeds[name], "tokens/s", f"{words}: {how}", n=len(seconds[name]))
    ratio = "runtime.tune divided by a plain script with trl, step by step in turn: the median step"
    yield Result(
        "tuning", compared(seconds["plain"], seconds["ours"]), "times", ratio, 1.0, len(seconds["ours"]), "at least"
    )
    gain = "runtime.tune with packing: true divided by the same without"
    yield Result("tuning_packing_gain", speeds["packed"] / speeds["ours"], "times", gain, n=len(seconds["packed"]))


def compared(seconds: Sequence[float], ours: Sequence[float]) -> float:
    """Returns the median of one side's seconds divided by ours in the same step, after the warm-up.

    Raises ValueError if the two differ in their number of steps, or have none after the warm-up.
    """
    return statistics.median(one / other for one, other in list(zip(seconds, ours, strict=True))[WARM_UP:])


def speed(seconds: Sequence[float], tokens: Sequence[int]) -> float:
    """Tokens per second after the first steps. Raises ValueError when the two differ in their number of steps."""
    pairs = list(zip(seconds, tokens, strict=True))[WARM_UP:]
    return sum(count for _, count in pairs) / sum(second for second, _ in pairs)


def tokens_of(record: Path) -> list[int]:
    """Returns the tokens of each of the first steps, from a file with a line per step that has the total until then."""
    totals = [int(json.loads(line)["tokens"]) for line in record.read_text().splitlines()[:STEPS]]
    return [total - before for before, total in zip([0, *totals], totals, strict=False)]


def written_rows(file: Path) -> Path:
    """Writes questions and answers of many lengths, the same each time, to a file of JSON lines."""
    numbers = random.Random(5)
    words = ["node", "pool", "adapter", "model", "gives", "asks", "the", "a", "quick", "slow", "weights", "of", "and"]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lines:
        for number in range(BATCH * STEPS):
            text = " ".join(numbers.choices(words, k=numbers.randint(*WORDS)))
            lines.write(json.dumps({"prompt": f"Question {number}?", "completion": text}) + "\n")
    return file


def _ours(python: Path, model: Path, data: Path, folder: Path, **more: Any) -> Program:
    sections = {
        "ModelConfig": {"torch_dtype": "bfloat16", "chat_template": ""},
        "LoraConfig": LORA,
        "DatasetConfig": {"train_test_split": 1, "shuffle_dataset": False},
        "TrainingArguments": TRAINING | more,
    }
    config = TuneConfig(
        model=SMOLLM2,
        revision="0" * 40,
        weights_path=str(model),
        method="lora",
        training=parse_training_config(json.dumps({"training_config": sections})),
        data_folder=str(data.parent),
        output_folder=str(folder / "results"),
        checkpoint_folder=str(folder),
        weights_deadline_s=0,
        port=free_port(),
    )
    folder.mkdir()
    file = folder / "tune.json"
    file.write_text(config.model_dump_json())
    return _program([str(python), "-m", "runtime.tune", "--config", str(file)], folder / STEPS_FILE)


def _plain(python: Path, model: Path, data: Path, folder: Path) -> Program:
    folder.mkdir()
    record, file = folder / STEPS_FILE, folder / "settings.json"
    more = {"output_dir": str(folder / "out"), "bf16": True, "report_to": "none", "disable_tqdm": True, "use_cpu": True}
    training = TRAINING | more | {"model_init_kwargs": {"dtype": "bfloat16"}}
    lora = LORA | {"task_type": "CAUSAL_LM"}
    settings = {
        "model": str(model), "data": str(data), "record": str(record), "training": training, "lora": lora,
    }  # fmt: skip
    file.write_text(json.dumps(settings))
    return _program([str(python), str(SCRIPT), str(file)], record)


def _program(argv: Sequence[str], record: Path) -> Program:
    folder = record.parent
    alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    return Program(argv, record, folder / "log", os.environ | alone | {"PYTHONPATH": str(REPOSITORY)})


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Prints the figures as JSON lines; returns 1 if a goal was missed."""
    with tempfile.TemporaryDirectory() as folder:
        return 0 if print_all(measure(Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
