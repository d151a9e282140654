"""Writes the finished adapter to tuning.output in KAITO's layout, with a summary of its provenance.

Every file appears atomically: the adapter, then the summary, then KAITO's sentinel, which marks completion.
"""

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from api.pods.tune import ADAPTER_CONFIG, SENTINEL_FILE, SUMMARY_FILE, TrainingSummary, TuneConfig, TuneStatus
from runtime.tune.data.prepared import Report, adapter_folder, config_digest
from runtime.tune.train.checkpoints import MARKER

PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets")


def publish(config: TuneConfig, report: Report, status: TuneStatus) -> TrainingSummary:
    """Writes everything to the output folder and returns the summary. Raises OSError."""
    source, target = adapter_folder(config), Path(config.output_folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / SENTINEL_FILE).unlink(missing_ok=True)
    names = sorted(file.name for file in source.iterdir() if file.is_file() and file.name != MARKER)
    for name in names:
        _copied(source / name, target / name)
    made = _summary(config, report, status, {name: _digest(source / name) for name in names})
    _written(target / SUMMARY_FILE, made.model_dump_json(indent=1) + "\n")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    _written(target / SENTINEL_FILE, f"Fine-Tuning completed at {now}\n")
    return made


def _summary(config: TuneConfig, report: Report, status: TuneStatus, files: dict[str, str]) -> TrainingSummary:
    adapter: dict[str, Any] = json.loads((adapter_folder(config) / ADAPTER_CONFIG).read_bytes())
    return TrainingSummary(
        base_model=config.model,
        base_revision=config.revision,
        method=config.method,
        rank=adapter["r"],
        target_modules=_kinds(adapter["target_modules"]),
        config_digest=config_digest(config),
        data_digest=report.data_digest,
        data_files=report.data_files,
        rows=report.rows,
        steps=status.step,
        epochs=status.epoch,
        seed=config.seed,
        loss=status.loss,
        eval_loss=status.eval_loss,
        eval_loss_base=status.eval_loss_base,
        seconds=status.seconds,
        tokens_per_s=round(status.tokens / status.seconds, 1) if status.seconds > 0 else None,
        peak_memory_bytes=status.peak_memory_bytes,
        device=status.device,
        batch_size=status.batch_size,
        accumulation=status.accumulation,
        processes=config.processes,
        adjustments=status.adjustments,
        warnings=status.warnings,
        files=files,
        packages=_versions(),
        settings=config.training.training,
    )


def _kinds(modules: list[str] | str) -> list[str]:
    """Returns the last parts of the modules' names: peft writes full names if there are few."""
    return [modules] if isinstance(modules, str) else sorted({name.rsplit(".", 1)[-1] for name in modules})


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copied(source: Path, target: Path) -> None:
    partial = _partial(target)
    shutil.copyfile(source, partial)
    _to_disk(partial)
    os.replace(partial, target)


def _written(target: Path, text: str) -> None:
    partial = _partial(target)
    partial.write_text(text)
    _to_disk(partial)
    os.replace(partial, target)


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
