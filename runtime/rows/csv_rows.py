"""Reads rows of csv files. Values stay the texts that the file has; an empty one is none.

What a value means is left to `api/pods/training_rows.py`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from runtime.rows.columnar import COLUMNS_MAX
from runtime.rows.json_rows import ROW_MAX

_OTHER_SEPARATORS: Final = (";", "\t", "|")


def header_of(file: Path) -> list[str]:
    """Returns the names of the columns, as they stand there. Raises ValueError, csv.Error."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        return _header(csv.reader(_Lines(text), strict=True))


def rows_of(file: Path) -> Iterator[tuple[dict[str, str | None], int]]:
    """Yields the rows, each with its characters. Of columns with the same name the first counts. Raises ValueError,
    csv.Error."""
    csv.field_size_limit(ROW_MAX)
    with file.open(encoding="utf-8-sig", newline="") as text:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True)
        names = _header(reader)
        lines.begin_row()
        for values in reader:
            weight = lines.begin_row()
            if not values:
                continue
            if len(values) > len(names):
                raise ValueError(f"it has {len(values)} fields, and the header {len(names)}: quote commas")
            row: dict[str, str | None] = dict.fromkeys(names)
            for name, value in reversed(list(zip(names, values, strict=False))):
                row[name] = value or None
            yield row, weight + len(names)


def _header(reader: Iterator[list[str]]) -> list[str]:
    """The first line that is not empty."""
    names = next(filter(None, reader), [])
    if len(names) > COLUMNS_MAX:
        raise ValueError(f"it has {len(names)} columns, and {COLUMNS_MAX} are allowed")
    if len(names) == 1 and (other := next((one for one in _OTHER_SEPARATORS if one in names[0]), None)):
        raise ValueError(f"its header has one column and {other!r} in it: separate columns with commas")
    return names


class _Lines:
    """The lines of a csv file. Raises ValueError when those of one row are longer than a row may be: in quotes, it may
    have any number of lines."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self._taken = text, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(ROW_MAX + 1)
        self._taken += len(line)
        if self._taken > ROW_MAX:
            raise ValueError(f"a row of more than {ROW_MAX} characters")
        if not line:
            raise StopIteration
        return line

    def begin_row(self) -> int:
        """Returns the characters of the row before."""
        taken, self._taken = self._taken, 0
        return taken
