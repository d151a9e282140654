"""Streams rows from data files: parquet, arrow, csv, json and jsonl. Never loads a whole file.

Interpreting rows is left to `api/pods/training_rows.py`. Row numbers start at 1.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from api.pods.training_rows import FORMATS
from runtime.data.json_lists import ROW_MAX, elements_of

BATCH: Final = 1000
Row = Mapping[str, Any]


class FileUnreadable(Exception):
    """A file's content does not match its ending; the text gives the position."""


@dataclass(frozen=True)
class Table:
    """A file's columns, and its rows with their numbers."""

    columns: list[str]
    rows: Iterator[tuple[int, Row]]


def read_table(file: Path) -> Table:
    """Opens a file by its ending. Raises FileUnreadable, also while rows are read."""
    ending = file.suffix.lower()
    if ending not in FORMATS:
        raise FileUnreadable(f"its name ends with none of {', '.join(FORMATS)}")
    rows = _numbered(_READERS[ending], file)
    first = [row for row in (next(rows, None) for _ in range(BATCH)) if row is not None]
    columns = list(dict.fromkeys(name for _, row in first for name in row))
    return Table(columns, _chained(first, rows))


def _chained(first: list[tuple[int, Row]], rest: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    yield from first
    yield from rest


def _numbered(reader: Callable[[Path], Iterator[Row]], file: Path) -> Iterator[tuple[int, Row]]:
    """Numbers the rows and adds the row number to read errors."""
    number = 0
    try:
        for number, row in enumerate(reader(file), start=1):
            if not isinstance(row, Mapping):
                raise FileUnreadable(f"row {number}: it is {type(row).__name__} instead of an object with columns")
            yield number, row
    except (pa.ArrowException, ValueError, csv.Error) as error:
        raise FileUnreadable(f"row {number + 1}: {_first_line(error)}") from error
    except RecursionError as error:
        raise FileUnreadable(f"row {number + 1}: it is nested too deep") from error


def _parquet(file: Path) -> Iterator[Row]:
    with pyarrow.parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=BATCH):
            yield from batch.to_pylist()


def _arrow(file: Path) -> Iterator[Row]:
    """Reads both Arrow formats: files, and streams as the datasets library writes them."""
    with pa.OSFile(str(file), "rb") as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        if is_file:
            opened = pyarrow.ipc.open_file(source)
            for index in range(opened.num_record_batches):
                yield from opened.get_batch(index).to_pylist()
            return
        for batch in pyarrow.ipc.open_stream(source):
            yield from batch.to_pylist()


def _csv(file: Path) -> Iterator[Row]:
    csv.field_size_limit(ROW_MAX)
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        names = next(reader, [])
        for values in reader:
            if not values:
                continue
            if len(values) > len(names):
                raise ValueError(f"it has {len(values)} fields, and the header {len(names)}: quote commas")
            yield dict.fromkeys(names) | {name: value or None for name, value in zip(names, values, strict=False)}


def _jsonl(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig") as text:
        while line := text.readline(ROW_MAX):
            if len(line) == ROW_MAX:
                raise ValueError(f"a line of more than {ROW_MAX} characters")
            if line.strip():
                yield json.loads(line)


def _json(file: Path) -> Iterator[Row]:
    """Reads a list of objects, or one object per line, which many files with this ending contain."""
    with file.open(encoding="utf-8-sig") as text:
        beginning = text.read(1024)
        if beginning.lstrip().startswith("["):
            yield from elements_of(text, beginning.lstrip()[1:])
            return
    yield from _jsonl(file)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


_READERS: Final[Mapping[str, Callable[[Path], Iterator[Row]]]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".json": _json,
}
