"""Cuts a batch of columns into pieces that are small as Python's objects, however small they are in their file.

A file has a repeated text once, and says for each row which one it is: some hundred bytes may mean a gigabyte. So texts
are left in that form (dictionaries) until it is known here how much they are for each row.
"""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute

COLUMNS_MAX: Final = 10_000
"""Each row has a value for each of them, also where the file has none."""
OBJECT: Final = 64
"""Bytes that an object of Python has beside its content, at most, of those that a value becomes."""


def pieces(batch: pa.RecordBatch, most: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields parts of the batch of at most `most` bytes as Python's objects, each with its bytes, in order. Raises
    ValueError for a single row above that and for types that cannot be judged, and pyarrow's errors."""
    if batch.num_columns > COLUMNS_MAX:
        raise ValueError(f"it has {batch.num_columns} columns, and {COLUMNS_MAX} are allowed")
    if batch.num_rows == 0:
        return
    size = sum(_size(column) for column in batch.columns)
    if size <= most + OBJECT * batch.num_rows * max(1, batch.num_columns):
        yield batch, size
    elif batch.num_rows == 1:
        raise ValueError(f"it has more than {most} bytes")
    else:
        half = batch.num_rows // 2
        yield from pieces(batch.slice(0, half), most)
        yield from pieces(batch.slice(half), most)


def _size(array: Any) -> int:
    """The bytes of an array's values, as if each was written out."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _size(array.storage)
    if pa.types.is_dictionary(kind):
        return _size_of_dictionary(array)
    if pa.types.is_struct(kind):
        return OBJECT * len(array) + sum(_size(child) for child in array.flatten())
    if pa.types.is_map(kind):
        # Keys and values are those of all rows, whichever of them the array is about.
        begins, ends = array.offsets[0].as_py(), array.offsets[-1].as_py()
        within = [part.slice(begins, ends - begins) for part in (array.keys, array.items)]
        return OBJECT * len(array) + sum(_size(part) for part in within)
    if any(is_one(kind) for is_one in _LISTS):
        return OBJECT * len(array) + _size(array.flatten())
    if _is_text(kind):
        return OBJECT * len(array) + int(pa.compute.sum(pa.compute.binary_length(array)).as_py() or 0)
    if any(is_one(kind) for is_one in _NUMBERS):
        return int(array.nbytes) + OBJECT * len(array)
    raise ValueError(f"it has a column of type {str(kind)[:60]}, which is not read; write it as text, numbers or lists")


def _size_of_dictionary(array: pa.DictionaryArray) -> int:
    values = array.dictionary
    if not _is_text(values.type):
        if not pa.types.is_primitive(values.type):
            raise ValueError(f"it has a dictionary of {str(values.type)[:60]}, which is not read; write it as text")
        return OBJECT * len(array)
    lengths = pa.compute.take(pa.compute.binary_length(values), array.indices)
    return OBJECT * len(array) + int(pa.compute.sum(lengths).as_py() or 0)


def _is_text(kind: pa.DataType) -> bool:
    return any(is_one(kind) for is_one in _TEXTS)


_LISTS: Final = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXTS: Final = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
)
_NUMBERS: Final = (pa.types.is_primitive, pa.types.is_null, pa.types.is_decimal, pa.types.is_fixed_size_binary)
