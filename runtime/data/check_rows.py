"""Checks whether rows can be trained on: the roles of columns, usable rows, unusable ones and why. Pure functions."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from api.pods.training_rows import ColumnChoice, Example, RowUnusable, columns_of, example_of
from runtime.data.reading import Row

SHOWN: Final = 5
"""Unusable rows listed per file."""
SAMPLES: Final = 200
SAMPLE_MAX: Final = 20_000
"""Characters of a sample; enough, because texts are uniform."""


@dataclass
class RowCounts:
    """The result for one file. `bytes` counts only the text that is trained on, not its markup."""

    shape: str
    columns: list[str]
    rows: int = 0
    usable: int = 0
    bytes: int = 0
    unusable: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def check_rows(
    columns: Collection[str], rows: Iterable[tuple[int, Row]], chosen: ColumnChoice, seen: Callable[[int], None]
) -> RowCounts:
    """Checks every row and reports the count to `seen`. Raises ColumnsUnknown."""
    meaning = columns_of(columns, chosen)
    counts = RowCounts(meaning.shape.value, sorted(columns))
    for number, row in rows:
        counts.rows += 1
        try:
            _count(counts, text_of(example_of(row, meaning)))
        except RowUnusable as error:
            if len(counts.unusable) < SHOWN:
                counts.unusable.append(f"row {number}: {error}")
        if counts.rows % 1000 == 0:
            seen(1000)
    seen(counts.rows % 1000)
    return counts


def text_of(example: Example) -> str:
    """Returns all text of an example, one message per line."""
    if example.text:
        return example.text
    return "\n".join(_text_in(message.get("content")) for message in example.messages)


def _count(counts: RowCounts, text: str) -> None:
    counts.usable += 1
    counts.bytes += len(text.encode(errors="replace"))
    if len(counts.samples) < SAMPLES:
        counts.samples.append(text[:SAMPLE_MAX])


def _text_in(content: Any) -> str:
    """Returns the text of a message's content, which is a string or a list of parts, some of them text."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
