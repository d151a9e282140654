"""Streams rows from data files: parquet, arrow, csv, json and jsonl. Never loads a whole file.

Interpreting rows is left to `api/pods/training_rows.py`. Row numbers start at 1.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from api.configs.json_reading import read_json
from api.pods.training_rows import FORMATS
from runtime.data.columnar import COLUMNS_MAX, pieces
from runtime.data.json_lists import ROW_MAX, elements_of

BATCH: Final = 1000
"""Rows that are read at once from a file of columns, and from whose names a table's columns are known."""
READ_BYTES: Final = 2**20
BATCH_CHARACTERS: Final = 2 * ROW_MAX
"""How much of a file those rows may be; then fewer tell the columns."""
ROWS_MAX: Final = 50_000_000
"""Rows of one file: a few hundred bytes can say that a column has any number of empty ones."""
Row = Mapping[str, Any]
Weighed = tuple[Any, int]
"""A row, and about how many characters of the file it was; 0 where that is bounded otherwise."""


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
    first, taken = list[tuple[int, Row]](), 0
    for number, row, weight in rows:
        first.append((number, row))
        taken += weight
        if len(first) == BATCH or taken > BATCH_CHARACTERS:
            break
    columns = list(dict.fromkeys(name for _, row in first for name in row))
    return Table(columns, _chained(first, rows))


def _chained(first: list[tuple[int, Row]], rest: Iterator[tuple[int, Row, int]]) -> Iterator[tuple[int, Row]]:
    yield from first
    first.clear()
    yield from ((number, row) for number, row, _ in rest)


def _numbered(reader: Callable[[Path], Iterator[Weighed]], file: Path) -> Iterator[tuple[int, Row, int]]:
    """Numbers the rows and adds the row number to read errors. A file that needs too much of anything is at fault."""
    number = 0
    try:
        for number, (row, weight) in enumerate(reader(file), start=1):
            if not isinstance(row, Mapping):
                raise FileUnreadable(f"row {number}: it is {type(row).__name__} instead of an object with columns")
            if number > ROWS_MAX:
                raise FileUnreadable(f"it has more than {ROWS_MAX} rows; give it as several files")
            yield number, row, weight
    except MemoryError as error:
        raise FileUnreadable(f"row {number + 1}: it needs more memory at once than there is") from error
    except (pa.ArrowException, ValueError, csv.Error) as error:
        raise FileUnreadable(f"row {number + 1}: {_first_line(error)}") from error
    except RecursionError as error:
        raise FileUnreadable(f"row {number + 1}: it is nested too deep") from error


def _parquet(file: Path) -> Iterator[Weighed]:
    """Texts stay as their file has them, each once, until `pieces` knows how much they are when they are repeated."""
    with pyarrow.parquet.ParquetFile(file) as opened:
        leaves = [opened.schema.column(at) for at in range(len(opened.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    with pyarrow.parquet.ParquetFile(file, read_dictionary=texts, pre_buffer=False, buffer_size=READ_BYTES) as opened:
        for batch in opened.iter_batches(batch_size=BATCH):
            yield from _rows_of(batch)


def _arrow(file: Path) -> Iterator[Weighed]:
    """Reads both Arrow formats: files, and streams as the datasets library writes them."""
    with pa.OSFile(str(file), "rb") as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        if is_file:
            opened = pyarrow.ipc.open_file(source)
            for index in range(opened.num_record_batches):
                yield from _rows_of(opened.get_batch(index))
            return
        for batch in pyarrow.ipc.open_stream(source):
            yield from _rows_of(batch)


def _rows_of(batch: pa.RecordBatch) -> Iterator[Weighed]:
    for piece, weight in pieces(batch, ROW_MAX):
        yield from ((row, weight // piece.num_rows) for row in piece.to_pylist())


def _csv(file: Path) -> Iterator[Weighed]:
    csv.field_size_limit(ROW_MAX)
    with file.open(encoding="utf-8-sig", newline="") as text:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True)
        names = next(reader, [])
        if len(names) > COLUMNS_MAX:
            raise ValueError(f"it has {len(names)} columns, and {COLUMNS_MAX} are allowed")
        lines.begin_row()
        for values in reader:
            weight = lines.begin_row()
            if not values:
                continue
            if len(values) > len(names):
                raise ValueError(f"it has {len(values)} fields, and the header {len(names)}: quote commas")
            row = dict.fromkeys(names) | {name: value or None for name, value in zip(names, values, strict=False)}
            yield row, weight + len(names)


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


def _jsonl(file: Path) -> Iterator[Weighed]:
    with file.open(encoding="utf-8-sig") as text:
        while line := text.readline(ROW_MAX):
            if len(line) == ROW_MAX:
                raise ValueError(f"a line of more than {ROW_MAX} characters")
            if line.strip():
                yield read_json(line, values_max=ROW_MAX), len(line)


def _json(file: Path) -> Iterator[Weighed]:
    """Reads a list of objects, or one object per line, which many files with this ending contain."""
    with file.open(encoding="utf-8-sig") as text:
        beginning = text.read(1024)
        if beginning.lstrip().startswith("["):
            yield from elements_of(text, beginning.lstrip()[1:])
            return
    yield from _jsonl(file)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


_READERS: Final[Mapping[str, Callable[[Path], Iterator[Weighed]]]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".json": _json,
}
