"""Reads a data file into examples: what the Job that judges counts, and what the training learns.

What becomes of rows that are left out, and of examples, is left to `runtime.data` and `runtime.tune`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from api.configs.training_sections import DatasetConfig
from api.pods.training_rows import (
    Columns,
    ColumnsUnknown,
    Example,
    RowUnusable,
    columns_of,
    example_of,
    is_read,
    with_later,
)
from runtime.pod.exit import Failure
from runtime.rows.failures import COLUMNS_UNKNOWN, UNREADABLE
from runtime.rows.files import DataFile
from runtime.rows.reading import FileUnreadable, Row, Table, read_table


@dataclass(frozen=True)
class FileExamples:
    """A file's columns and shape, both empty for one without rows, and its rows with their numbers: each an example, or
    why it is none."""

    columns: list[str]
    shape: str
    rows: Iterator[tuple[int, Example | RowUnusable]]


def examples_of(file: DataFile, dataset: DatasetConfig) -> FileExamples:
    """Opens a file. Raises Failure that names file, row and column, also while rows are read."""
    try:
        table = read_table(file.path, file.ending, lambda name: is_read(name, dataset))
        if not table.columns:
            return FileExamples([], "", iter(()))
        columns = columns_of(table.columns, dataset)
    except ColumnsUnknown as error:
        raise Failure(COLUMNS_UNKNOWN, f"{file.name}: {error}") from error
    except (FileUnreadable, OSError) as error:
        raise _unreadable(file, error) from error
    _check_doubled(file, table, columns)
    return FileExamples(table.columns, columns.shape.value, _rows(file, table, columns, dataset))


def _rows(
    file: DataFile, table: Table, columns: Columns, dataset: DatasetConfig
) -> Iterator[tuple[int, Example | RowUnusable]]:
    known = set(table.columns)
    try:
        for number, row in table.rows:
            if later := [name for name in row if name not in known and is_read(name, dataset)]:
                known.update(later)
                columns = with_later(columns, sorted(known), dataset)
            yield number, _example(row, columns)
    except (FileUnreadable, OSError) as error:
        raise _unreadable(file, error) from error


def _example(row: Row, columns: Columns) -> Example | RowUnusable:
    try:
        return example_of(row, columns)
    except RowUnusable as error:
        return error
    except RecursionError:
        return RowUnusable("it is nested too deep")


def _check_doubled(file: DataFile, table: Table, columns: Columns) -> None:
    used = (columns.messages, columns.prompt, columns.answer, columns.text, columns.context, columns.system)
    beside = (columns.tools, columns.history, columns.label)
    twice = [name for name in (*used, *beside) if name and name in table.doubled]
    if twice:
        raise Failure(UNREADABLE, f"{file.name}: it has the column {twice[0]} more than once: rename or remove one")


def _unreadable(file: DataFile, error: FileUnreadable | OSError) -> Failure:
    words = (error.strerror or error) if isinstance(error, OSError) else error
    return Failure(UNREADABLE, f"{file.name}: {words}")
