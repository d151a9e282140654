"""Reads the data files into examples with the reader of the Job that judged them, and counts rows.

Unreadable files and unknown columns fail the training here, before the model is loaded. Reading itself is left to
`runtime/rows`.
"""

from collections.abc import Iterator, Sequence

from api.configs.training_sections import DatasetConfig
from api.pods.training_rows import Example, RowUnusable
from runtime.rows.examples import examples_of
from runtime.rows.files import DataFile

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
            for number, row in examples_of(file, self._config).rows:
                self.rows_read += 1
                where = f"row {number} of {file.name}"
                if isinstance(row, RowUnusable):
                    self.leave_out(where, row)
                else:
                    yield where, row

    def leave_out(self, where: str, why: Exception) -> None:
        """Counts a skipped row."""
        self.unusable += 1
        if len(self.why_unusable) < UNUSABLE_SHOWN:
            self.why_unusable.append(f"{where}: {why}")
