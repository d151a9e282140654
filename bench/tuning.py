"""Tokens per second of `runtime.tune` against a plain script with trl (`plain_sft.py`), and what packing adds.

Same model, rows, order, settings and seed, in turn, each in processes of its own. A step has the same rows on both
sides, so the two are compared step by step, once the first ones are over. A packed row is as long as max_length, about
as many tokens as a step of the others has. It needs the runtime environment and no cluster.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from api.configs.training import parse_training_config
from api.tuning import STEPS_FILE, TuneConfig
from bench.results import Result, print_all
from deploy.local.layout import Layout
from deploy.local.mirror.catalogue import SMOLLM2, ensure_repos, repositories_folder
from deploy.local.runtime_env import ensure_runtime_venv
from deploy.local.wheels import REPOSITORY

ROUNDS: Final = 3
BATCH: Final = 4
STEPS: Final = 12
PACKED: Final = {"packing": True, "per_device_train_batch_size": 1, "max_steps": 10}
WARM_UP: Final = 2
"""Steps that are left out: memory is asked for, and kernels are chosen, in the first."""
RUN_S: Final = 570.0
LORA: Final = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}
TRAINING: Final = {
    "per_device_train_batch_size": BATCH, "max_steps": STEPS, "learning_rate": 1e-4, "max_length": 512, "seed": 7,
    "gradient_checkpointing": False, "save_strategy": "no", "logging_steps": 10,
}  # fmt: skip
# Lengths as they come: a batch is as long as its longest row.
WORDS: Final = (8, 180)
Runs = Mapping[str, Sequence[Sequence[float]]]


def measure(folder: Path) -> Iterator[Result]:
    """Figures; the folder is used for rows, checkpoints and adapters."""
    layout = Layout.of()
    python = ensure_runtime_venv(layout.cache, layout.logs / "runtime-environment.log", _say)
    ensure_repos(layout.cache, _say)
    model = repositories_folder(layout.cache) / "models" / SMOLLM2 / "main"
    data = written_rows(folder / "data" / "rows.jsonl")
    runs: dict[str, list[list[float]]] = {"ours": [], "plain": [], "packed": []}
    for number in range(ROUNDS):
        for name, found in runs.items():
            place = folder / f"{number} {name}"
            place.mkdir()
            found.append(_plain(python, model, data, place) if name == "plain" else
                         _ours(python, model, data, place, packing=name == "packed"))  # fmt: skip
            _say(f"tuning, {name}: {' '.join(f'{speed:.0f}' for speed in found[-1])} tokens/s")
    yield from results_of(runs)


def results_of(runs: Runs) -> Iterator[Result]:
    """Figures of runs: a run is the speed of each of its steps in tokens per second."""
    speeds = {name: statistics.median(typical(run) for run in found) for name, found in runs.items()}
    rounds = min(len(found) for found in runs.values())
    how = f"SmolLM2-135M, LoRA, {BATCH} rows a step; the median step of each run, the median of the runs"
    names = {"ours": "runtime.tune", "plain": "a plain script with trl", "packed": "runtime.tune with packing: true"}
    for name, words in names.items():
        yield Result(f"tuning_{name}_tokens_per_s", speeds[name], "tokens/s", f"{words}: {how}", n=rounds)
    pairs = list(zip(runs["ours"], runs["plain"], strict=True))
    ratio = "runtime.tune divided by a plain script with trl, step by step: the median step of all rounds"
    yield Result("tuning", compared(pairs), "times", ratio, 1.0, rounds, "at least")
    gain = "runtime.tune with packing: true divided by the same without"
    yield Result("tuning_packing_gain", speeds["packed"] / speeds["ours"], "times", gain, n=rounds)


def compared(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """The median, over all steps after the first ones, of one's speed divided by the other's in the same step. Raises
    ValueError when two runs differ in their number of steps."""
    ratios = [one / other for run in pairs for one, other in list(zip(*run, strict=True))[WARM_UP:]]
    return statistics.median(ratios)


def typical(speeds: Sequence[float]) -> float:
    """The median step once the first ones are over. Raises ValueError when there is no other step."""
    after = speeds[WARM_UP:] or speeds[1:]
    if not after:
        raise ValueError(f"a run of {len(speeds)} steps has none after the first")
    return statistics.median(after)


def written_rows(file: Path) -> Path:
    """Questions and answers of many lengths, the same each time, in a file of JSON lines."""
    numbers = random.Random(5)
    words = ["node", "pool", "adapter", "model", "gives", "asks", "the", "a", "quick", "slow", "weights", "of", "and"]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lines:
        for number in range(BATCH * STEPS):
            text = " ".join(numbers.choices(words, k=numbers.randint(*WORDS)))
            lines.write(json.dumps({"prompt": f"Question {number}?", "completion": text}) + "\n")
    return file


def _ours(python: Path, model: Path, data: Path, folder: Path, *, packing: bool) -> list[float]:
    sections = {
        "ModelConfig": {"torch_dtype": "bfloat16"},
        "LoraConfig": LORA,
        "DatasetConfig": {"train_test_split": 1, "shuffle_dataset": False},
        "TrainingArguments": TRAINING | (PACKED if packing else {}),
    }
    checkpoints = folder / "checkpoints"
    config = TuneConfig(
        model=SMOLLM2,
        revision="0" * 40,
        weights_path=str(model),
        method="lora",
        training=parse_training_config(json.dumps({"training_config": sections})),
        data_folder=str(data.parent),
        output_folder=str(folder / "results"),
        checkpoint_folder=str(checkpoints),
        weights_deadline_s=0,
        port=_free_port(),
    )
    file = folder / "tune.json"
    file.write_text(config.model_dump_json())
    _run([str(python), "-m", "runtime.tune", "--config", str(file)], folder)
    return _speeds(checkpoints / STEPS_FILE)


def _plain(python: Path, model: Path, data: Path, folder: Path) -> list[float]:
    record = folder / "steps.jsonl"
    more = {"output_dir": str(folder / "out"), "bf16": True, "report_to": "none", "disable_tqdm": True, "use_cpu": True}
    training = TRAINING | more | {"model_init_kwargs": {"dtype": "bfloat16"}}
    lora = LORA | {"task_type": "CAUSAL_LM"}
    settings = {
        "model": str(model), "data": str(data), "record": str(record), "training": training, "lora": lora,
    }  # fmt: skip
    file = folder / "settings.json"
    file.write_text(json.dumps(settings))
    _run([str(python), str(REPOSITORY / "bench" / "plain_sft.py"), str(file)], folder)
    return _speeds(record)


def _run(argv: Sequence[str], folder: Path) -> None:
    """Raises CalledProcessError with the last words of what failed, TimeoutExpired."""
    alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    with (folder / "log").open("wb") as log:
        done = subprocess.run(
            argv, stdout=log, stderr=log, cwd=REPOSITORY, env=os.environ | alone, timeout=RUN_S, check=False
        )
    if done.returncode:
        _say((folder / "log").read_text(errors="replace")[-3000:])
        raise subprocess.CalledProcessError(done.returncode, list(argv))


def _speeds(file: Path) -> list[float]:
    steps: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
    return [float(step["tokens_per_s"]) for step in steps]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Prints the figures as JSON lines; 1 when a goal was missed."""
    with tempfile.TemporaryDirectory() as folder:
        return 0 if print_all(measure(Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
