"""The tokenised rows as files: made once, read by every process of a training and by every pod that goes on with it.

A folder is complete when its report is there, which is written last and by rename. Where it comes from is
`prepare.py`'s; torch is not needed to read the report.
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
    """What was made of which data."""

    model_config = ConfigDict(frozen=True)

    identity: str
    data_digest: str
    data_files: list[str]
    longest_row: int
    rows: Rows
    warnings: list[str] = []


def config_digest(config: TuneConfig) -> str:
    """sha256 of everything that decides what is trained, but for the data: as hex."""
    training = config.training.model_dump_json(exclude={"warnings"})
    text = "\0".join((config.model, config.revision, config.method, training))
    return hashlib.sha256(text.encode()).hexdigest()


def identity_of(config: TuneConfig, data_digest: str) -> str:
    """Of a training: other settings, another model or other data make another one."""
    return f"{config_digest(config)[:16]}-{data_digest[:16]}"


def folder_of(config: TuneConfig) -> Path:
    """Where the rows of this training lie."""
    return Path(config.checkpoint_folder) / "rows"


def adapter_folder(config: TuneConfig) -> Path:
    """Where the finished adapter lies until it is in the output folder; marked like a checkpoint."""
    return Path(config.checkpoint_folder) / "adapter"


def read_report(folder: Path) -> Report | None:
    """The report; None when the rows are not there, or only in part."""
    try:
        return Report.model_validate_json((folder / REPORT).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def write_report(folder: Path, report: Report) -> None:
    """Makes the folder complete."""
    partial = folder / f"{REPORT}.partial"
    partial.write_text(report.model_dump_json(indent=1))
    os.replace(partial, folder / REPORT)


def emptied(folder: Path) -> Path:
    """The folder, there and empty."""
    (folder / REPORT).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
