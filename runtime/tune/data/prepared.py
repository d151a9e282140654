"""Stores the tokenised rows as files: written once, read by every process of a training and by every pod resuming it.

A folder is complete if it has its report, which is written last, by rename. Creating the rows is left to `prepare.py`;
torch is not needed to read the report.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from api.pods.tune import Rows, TuneConfig

REPORT: Final = "report.json"
TRAIN: Final = "train"
HELD_OUT: Final = "held_out"


class Report(BaseModel):
    """Describes the tokenised rows and the data they were made from."""

    model_config = ConfigDict(frozen=True)

    identity: str
    data_digest: str
    data_files: list[str]
    longest_row: int
    rows: Rows
    warnings: list[str] = []


def config_digest(config: TuneConfig) -> str:
    """Returns the sha256, as hex, of every setting that affects the training, without the data."""
    training = config.training.model_dump_json(exclude={"warnings"})
    text = "\0".join((config.model, config.revision, config.method, training))
    return hashlib.sha256(text.encode()).hexdigest()


def identity_of(config: TuneConfig, data_digest: str) -> str:
    """Returns a training's identity, which changes with settings, model or data."""
    return f"{config_digest(config)[:16]}-{data_digest[:16]}"


def folder_of(config: TuneConfig) -> Path:
    """Returns the folder of this training's rows."""
    return Path(config.checkpoint_folder) / "rows"


def adapter_folder(config: TuneConfig) -> Path:
    """Returns the folder of the finished adapter before it is published; it is marked like a checkpoint."""
    return Path(config.checkpoint_folder) / "adapter"


def read_report(folder: Path) -> Report | None:
    """Returns the report; None if the rows are missing or incomplete."""
    try:
        return Report.model_validate_json((folder / REPORT).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def write_report(folder: Path, report: Report) -> None:
    """Writes the report, which marks the folder as complete."""
    partial = folder / f"{REPORT}.partial"
    partial.write_text(report.model_dump_json(indent=1))
    os.replace(partial, folder / REPORT)


def emptied(folder: Path) -> Path:
    """Creates or empties the folder and returns it."""
    (folder / REPORT).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
