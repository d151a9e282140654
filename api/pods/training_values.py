"""Values of training data, as their files have them: texts, numbers, JSON. Pure, standard library only.

Which value means what is left to `training_rows.py` and `training_messages.py`, reading files to `runtime/rows`.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

_BY_ROWS: Final = 'a row is one object, in pandas to_json(orient="records", lines=True)'


class RowUnusable(ValueError):
    """This row is not usable for training; the message has the reason."""


class DoubledKeys(dict[str, Any]):
    """An object of JSON in which keys stand more than once: which of the values is meant, nobody knows."""

    doubled: frozenset[str] = frozenset()


class Written(float):
    """A number with the text that its file has for it: 1.50 is not 1.5 where it is learnt as text."""

    text: str

    def __new__(cls, text: str) -> "Written":
        """Raises ValueError for a text that is no number."""
        made = super().__new__(cls, text)
        made.text = text
        return made


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    doubled = DoubledKeys(made)
    doubled.doubled = frozenset(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return doubled


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=Written)
"""Decodes the JSON of data files. Raises ValueError, and RecursionError for what is nested too deep."""


def cell(row: Mapping[str, Any], column: str) -> Any:
    """Returns a row's value in a column, None where there is none. Raises RowUnusable if the row has two."""
    if not column:
        return None
    if isinstance(row, DoubledKeys) and column in row.doubled:
        raise RowUnusable(f"it has the key {column} more than once")
    value = row.get(column)
    return None if isinstance(value, float) and math.isnan(value) else value


def text_of(value: Any, column: str) -> str:
    """Returns a text, number or boolean as text: a boolean as JSON writes it, nothing for a null. Raises RowUnusable
    for all else."""
    if isinstance(value, str):
        return whole(value, column)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Written) and math.isfinite(value):
        return value.text
    if isinstance(value, int) or (isinstance(value, float | Decimal) and math.isfinite(value)):
        return str(value)  # of a whole number no float is made: it may have more digits than one holds
    if isinstance(value, Mapping | list | tuple):
        what = "a map" if isinstance(value, Mapping) else "a list"
        raise RowUnusable(f"column {column} holds {what} where text was expected; {_BY_ROWS}")
    what = "a number that is not finite" if isinstance(value, float | Decimal) else type(value).__name__
    raise RowUnusable(f"column {column} holds {what} where text was expected")


def whole(text: str, column: str) -> str:
    """Returns the text. Raises RowUnusable for half a surrogate pair, which JSON can write and no text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise RowUnusable(f"column {column} holds {half}, which is half of a character") from None
    return text


def plain(value: Any, column: str, *, nulls: bool = False) -> Any:
    """Returns a value as JSON has it. Without `nulls` those within mappings are left out at every depth: files of
    columns give each row the fields of all others, filled in with nulls. A mapping of nothing else becomes None.

    Raises RowUnusable for types that JSON lacks, doubled keys and halves of characters."""
    if isinstance(value, str):
        return whole(value, column)
    if isinstance(value, DoubledKeys):
        raise RowUnusable(f"column {column} holds the key {min(value.doubled)} more than once in one object")
    if isinstance(value, Mapping):
        fields = {whole(str(name), column): plain(one, column, nulls=nulls) for name, one in value.items()}
        kept = fields if nulls else {name: one for name, one in fields.items() if one is not None}
        return kept if kept or not fields else None
    if isinstance(value, list | tuple):
        return [plain(one, column, nulls=nulls) for one in value]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return Written(str(value))
    raise RowUnusable(f"column {column} holds {type(value).__name__}, which JSON cannot write")


def decoded(text: str, column: str, what: str) -> Any:
    """Returns the value of a JSON text, with its nulls, which somebody wrote. Raises RowUnusable that names `what`."""
    try:
        return plain(DECODER.decode(text), column, nulls=True)
    except RowUnusable:
        raise
    except (ValueError, RecursionError):
        raise RowUnusable(f"column {column}: {what} no valid JSON") from None


def is_false(value: Any) -> bool:
    """Returns whether a value is false, or a number of 0; a file of csv has the words for it."""
    said = value.strip().lower() if isinstance(value, str) else value
    return said in (0, "false", "0", "0.0")


def listed(names: Iterable[str]) -> str:
    """Returns the names for a message, twenty at most; in quotes where blanks would not be seen."""
    shown = [repr(name) if name != name.strip() else name for name in sorted(names)]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "") or "no columns at all"
