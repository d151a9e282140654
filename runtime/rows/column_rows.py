"""Reads rows of parquet and arrow files, of those columns only that may be learnt from.

How large a batch may become is left to `columnar.py`.
"""

import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from runtime.rows.columnar import COLUMNS_MAX, pieces
from runtime.rows.json_rows import ROW_MAX

BATCH: Final = 1000
"""Rows that are read at once."""
READ_BYTES: Final = 2**20
Wanted = Callable[[str], bool]
"""Whether a column of this name is read."""


def parquet_columns(file: Path) -> list[str]:
    """Returns the names as they stand in the file. Raises pyarrow's errors, OSError."""
    with pyarrow.parquet.ParquetFile(file) as opened:
        return list(opened.schema_arrow.names)


def parquet_rows(file: Path, wanted: Wanted) -> Iterator[tuple[Any, int]]:
    """Texts stay as their file has them, each once, until `pieces` knows how much they are when they are repeated.
    Raises ValueError, pyarrow's errors, OSError."""
    with pyarrow.parquet.ParquetFile(file) as opened:
        leaves = [opened.schema.column(at) for at in range(len(opened.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    with pyarrow.parquet.ParquetFile(file, read_dictionary=texts, pre_buffer=False, buffer_size=READ_BYTES) as opened:
        names = opened.schema_arrow.names
        _check(names)
        for batch in opened.iter_batches(batch_size=BATCH, columns=_read(names, wanted)):
            yield from _rows_of(batch, wanted)


def arrow_columns(file: Path) -> list[str]:
    """Returns the names as they stand in the file. Raises pyarrow's errors, OSError."""
    with pa.OSFile(str(file), "rb") as source:
        return list(_opened(source).schema.names)


def arrow_rows(file: Path, wanted: Wanted) -> Iterator[tuple[Any, int]]:
    """Reads both Arrow formats: files, and streams as the datasets library writes them. Raises ValueError, pyarrow's
    errors, OSError."""
    with pa.OSFile(str(file), "rb") as source:
        opened = _opened(source)
        _check(opened.schema.names)
        if isinstance(opened, pa.ipc.RecordBatchFileReader):
            for index in range(opened.num_record_batches):
                yield from _rows_of(opened.get_batch(index), wanted)
            return
        for batch in opened:
            yield from _rows_of(batch, wanted)


def _opened(source: pa.NativeFile) -> Any:
    is_file = source.read(6) == b"ARROW1"
    source.seek(0)
    return pyarrow.ipc.open_file(source) if is_file else pyarrow.ipc.open_stream(source)


def _check(names: list[str]) -> None:
    if len(names) > COLUMNS_MAX:
        raise ValueError(f"it has {len(names)} columns, and {COLUMNS_MAX} are allowed")


def _read(names: list[str], wanted: Wanted) -> list[str] | None:
    """The columns to read, at least one, so that rows are counted; None for all. A dot in a name leads parquet's
    readers into a nested column."""
    return None if any("." in name for name in names) else [name for name in names if wanted(name)] or names[:1]


def _rows_of(batch: pa.RecordBatch, wanted: Wanted) -> Iterator[tuple[Any, int]]:
    """Of columns with the same name the first counts."""
    first = {name: at for at, name in reversed(list(enumerate(batch.schema.names))) if wanted(name)}
    if not first:
        yield from (({}, 0) for _ in range(batch.num_rows))
        return
    kept = batch.select(sorted(first.values()))
    short = [field.name for field in kept.schema if pa.types.is_float32(field.type)]
    for piece, weight in pieces(kept, ROW_MAX):
        for row in piece.to_pylist(maps_as_pydicts="strict"):
            for name in short:
                row[name] = _shortest(row[name])
            yield row, weight // piece.num_rows


def _shortest(value: float | None) -> float | None:
    """The number with the fewest digits that 32 bits hold as this one: 0.1, which Python has as 0.10000000149011612."""
    if value is None or not math.isfinite(value):
        return value
    texts = (f"{value:.{digits}g}" for digits in range(6, 10))
    return next((float(text) for text in texts if _in_32_bits(float(text)) == value), value)


def _in_32_bits(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf
