"""Reads the data files into examples: every format by `datasets`, from the disk only.

Unreadable files and unknown columns fail the training here, before the model is loaded.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetsError

from api.configs.training_sections import DatasetConfig
from api.pods.training_rows import Columns, ColumnsUnknown, Example, RowUnusable, columns_of, example_of
from runtime.pod.exit import Failure
from runtime.tune.data.files import DataFile
from runtime.tune.failures import COLUMNS_UNKNOWN, DATA_UNREADABLE

UNUSABLE_SHOWN = 3


class Reading:
    """Reads the files once, row by row, and counts rows."""

    def __init__(self, files: Sequence[DataFile], config: DatasetConfig) -> None:
        self.rows_read, self.unusable = 0, 0
        self.why_unusable: list[str] = []
        self._files, self._config = files, config

    def examples(self) -> Iterator[tuple[str, Example]]:
        """Yields every usable row with a description of its position. Raises Failure."""
        for file in self._files:
            rows = _load(file)
            columns = self._columns(file, rows.column_names)
            for number, row in enumerate(_rows(file, rows), start=1):
                self.rows_read += 1
                try:
                    yield f"row {number} of {file.name}", example_of(row, columns)
                except RowUnusable as error:
                    self.leave_out(f"row {number} of {file.name}", error)

    def leave_out(self, where: str, why: Exception) -> None:
        """Counts a skipped row."""
        self.unusable += 1
        if len(self.why_unusable) < UNUSABLE_SHOWN:
            self.why_unusable.append(f"{where}: {why}")

    def _columns(self, file: DataFile, names: Sequence[str]) -> Columns:
        try:
            return columns_of(names, self._config)
        except ColumnsUnknown as error:
            raise Failure(COLUMNS_UNKNOWN, f"{file.name}: {error}") from error


def _load(file: DataFile) -> Dataset:
    try:
        return load_dataset(file.loader, data_files=[str(file.path)], split="train")
    except (DatasetsError, pa.ArrowException, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        cause = error.__cause__ or error
        words = f"{file.name} cannot be read as {file.loader}: {cause}"
        raise Failure(DATA_UNREADABLE, f"{words}; check the file, or name its format in dataset_extension") from error


def _rows(file: DataFile, rows: Dataset) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Failure(DATA_UNREADABLE, f"{file.name} ends early: {error}") from error
