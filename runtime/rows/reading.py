"""Streams rows from data files: parquet, arrow, csv, json and jsonl. Never loads a whole file.

Interpreting rows is left to `api/pods/training_rows.py`, each format to a file of its own. Row numbers start at 1.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from api.pods.training_rows import FORMATS
from runtime.rows import csv_rows, json_rows
from runtime.rows.beginnings import BEGINNING, problem_of
from runtime.rows.column_rows import Wanted, arrow_columns, arrow_rows, parquet_columns, parquet_rows
from runtime.rows.json_rows import ROW_MAX

FIRST: Final = 1000
"""Rows from whose names the columns of a file of JSON are known; later rows may add some."""
FIRST_CHARACTERS: Final = 2 * ROW_MAX
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
    """A file's columns, those of them that it has twice, and its rows with their numbers."""

    columns: list[str]
    doubled: frozenset[str]
    rows: Iterator[tuple[int, Row]]


def read_table(file: Path, ending: str = "", wanted: Wanted = lambda name: True) -> Table:
    """Opens a file by its ending, or by another. A file without rows has no columns. Raises FileUnreadable, also while
    rows are read, and OSError.

    `wanted`: which columns are read; of files of columns the others are left alone."""
    ending = ending or file.suffix.lower()
    if ending not in FORMATS:
        raise FileUnreadable(f"its name ends with none of {', '.join(FORMATS)}")
    with file.open("rb") as stream:
        problem = problem_of(stream.read(BEGINNING), ending)
    if problem:
        raise FileUnreadable(problem)
    rows = _numbered(_READERS[ending], file, wanted)
    first, taken = list[tuple[int, Row]](), 0
    for number, row, weight in rows:
        first.append((number, row))
        taken += weight
        if len(first) == FIRST or taken > FIRST_CHARACTERS:
            break
    else:
        _check_single(first, wanted)
    names = _names(file, ending, first)
    doubled = frozenset(name for name, count in Counter(names).items() if count > 1)
    return Table(list(dict.fromkeys(names)), doubled, _chained(first, rows))


def _names(file: Path, ending: str, first: list[tuple[int, Row]]) -> list[str]:
    """The columns as the file lists them; of JSON those of its first rows."""
    if not first:
        return []
    header = _HEADERS.get(ending)
    return header(file) if header else list(dict.fromkeys(name for _, row in first for name in row))


def _check_single(rows: list[tuple[int, Row]], wanted: Wanted) -> None:
    """Raises FileUnreadable for one object around the rows, as some programs write it."""
    if len(rows) != 1 or any(wanted(name) for name in rows[0][1]):
        return
    within = [name for name, value in rows[0][1].items() if isinstance(value, list)]
    if within:
        raise FileUnreadable(
            f"row 1: it is one object that has a list in {within[0][:60]!r}: if those are the rows, give that list "
            "alone, or one object a line"
        )


def _chained(first: list[tuple[int, Row]], rest: Iterator[tuple[int, Row, int]]) -> Iterator[tuple[int, Row]]:
    yield from first
    first.clear()
    yield from ((number, row) for number, row, _ in rest)


def _numbered(
    reader: Callable[[Path, Wanted], Iterator[Weighed]], file: Path, wanted: Wanted
) -> Iterator[tuple[int, Row, int]]:
    """Numbers the rows and adds the row number to read errors. A file that needs too much of anything is at fault."""
    number = 0
    try:
        for number, (row, weight) in enumerate(reader(file, wanted), start=1):
            if not isinstance(row, Mapping):
                raise FileUnreadable(f"row {number}: it is {type(row).__name__} instead of an object with columns")
            if number > ROWS_MAX:
                raise FileUnreadable(f"it has more than {ROWS_MAX} rows; give it as several files")
            yield number, row, weight
    except MemoryError as error:
        raise FileUnreadable(f"row {number + 1}: it needs more memory at once than there is") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise FileUnreadable(f"row {number + 1}: it has the byte 0x{byte:02x}: save it as UTF-8") from error
    except KeyError as error:
        raise FileUnreadable(f"row {number + 1}: a map has the key {str(error)[:60]} more than once") from error
    except (pa.ArrowException, ValueError, OverflowError, csv.Error) as error:
        raise FileUnreadable(f"row {number + 1}: {_first_line(error)}") from error
    except RecursionError as error:
        raise FileUnreadable(f"row {number + 1}: it is nested too deep") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


_HEADERS: Final[Mapping[str, Callable[[Path], list[str]]]] = {
    ".parquet": parquet_columns,
    ".arrow": arrow_columns,
    ".csv": csv_rows.header_of,
}
_READERS: Final[Mapping[str, Callable[[Path, Wanted], Iterator[Weighed]]]] = {
    ".parquet": parquet_rows,
    ".arrow": arrow_rows,
    ".csv": lambda file, wanted: csv_rows.rows_of(file),
    ".jsonl": lambda file, wanted: json_rows.rows_of(file),
    ".json": lambda file, wanted: json_rows.rows_of(file),
}
