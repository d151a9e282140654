"""Counts the rows of a file that can be trained on, those that cannot with their reasons, and what the chat template
leaves out of the former. Pure functions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.pods.training_messages import said
from api.pods.training_rows import Example, RowUnusable
from runtime.data.judging import Judge
from runtime.rows.examples import FileExamples
from runtime.turns.losses import Losses

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
    examples: FileExamples, seen: Callable[[int], None], judge: Judge, losses: Losses, name: str
) -> RowCounts:
    """Counts every row and reports the count to `seen`; adds to `losses` what a row of the file `name` loses. Raises
    Failure of the reading."""
    counts = RowCounts(examples.shape, sorted(examples.columns))
    for number, row in examples.rows:
        counts.rows += 1
        try:
            if isinstance(row, RowUnusable):
                raise row
            losses.count(f"row {number} of {name}", judge(row))
            _count(counts, text_of(row))
        except RowUnusable as error:
            _leave_out(counts, f"row {number}: {error}")
        if counts.rows % 1000 == 0:
            seen(1000)
    seen(counts.rows % 1000)
    if (more := counts.rows - counts.usable - SHOWN) > 0:
        counts.unusable.append(f"and {more} more rows are left out")
    return counts


def text_of(example: Example) -> str:
    """Returns all text of an example, one message per line."""
    return example.text or "\n".join(said(message) for message in example.messages)


def _leave_out(counts: RowCounts, why: str) -> None:
    if len(counts.unusable) < SHOWN:
        counts.unusable.append(why)


def _count(counts: RowCounts, text: str) -> None:
    counts.usable += 1
    counts.bytes += len(text.encode(errors="replace"))
    if len(counts.samples) < SAMPLES:
        counts.samples.append(text[:SAMPLE_MAX])
