"""Reads JSON that others wrote. Whatever is wrong with it, its depth and its size in memory included, is the text's
fault, and so a ValueError.

Standard library only: pods read with it, too.
"""

import json
from collections.abc import Callable
from typing import Any, Final

VALUES_MAX: Final = 1_000_000
"""Commas and opening brackets, of which there are at least as many as values, less one. A value takes 250 bytes at
most, a text of this many some 100 MiB; a manifest or an adapter of ten thousand tensors has a tenth."""


def read_json(
    text: str | bytes | bytearray,
    *,
    values_max: int = VALUES_MAX,
    parse_constant: Callable[[str], Any] | None = None,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """Returns the value. Raises ValueError with what is wrong; the parser's own message quotes nothing of the text."""
    if _values_at_most(text) > values_max:
        raise ValueError(f"it has more than {values_max} values")
    try:
        return json.loads(text, parse_constant=parse_constant, object_pairs_hook=object_pairs_hook)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except MemoryError:
        raise ValueError("it does not fit into memory") from None


def _values_at_most(text: str | bytes | bytearray) -> int:
    if isinstance(text, str):
        return text.count(",") + text.count("[") + text.count("{")
    return text.count(b",") + text.count(b"[") + text.count(b"{")
