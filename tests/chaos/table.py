"""The table of all injections in Markdown, a row per fault and a column per step, and a list of all that went wrong.

Pure: from outcomes to lines.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from tests.chaos.judging import VERDICTS, Outcome

NOT_INJECTED: Final = "-"


def table(outcomes: Sequence[Outcome], steps: Sequence[str]) -> list[str]:
    """Cells are `ok 4.2` with the seconds from the strike to Ready or gone, or what went wrong; steps that are none of
    `steps` have no column."""
    cells = {(one.injection.fault, one.injection.step): cell(one) for one in outcomes if one.injection.step in steps}
    faults = list(dict.fromkeys(fault for fault, _ in cells))
    rows = [[fault, *(cells.get((fault, step), NOT_INJECTED) for step in steps)] for fault in faults]
    return _markdown(["fault", *steps], rows)


def listing(outcomes: Sequence[Outcome], heading: str) -> list[str]:
    """One row per injection."""
    return _markdown([heading, "outcome"], [[one.injection.fault, cell(one)] for one in outcomes])


def complaints(outcomes: Iterable[Outcome]) -> list[str]:
    """A line for everything that is wrong."""
    return [
        f"{verdict}: {one.injection.fault} in {one.injection.step}: {words}"
        for one in outcomes
        for verdict, words in one.wrong.items()
    ]


def cell(outcome: Outcome) -> str:
    """One word, the worst, and the seconds."""
    seconds = "" if outcome.seconds is None else f" {outcome.seconds:.1f}"
    word = next((verdict for verdict in VERDICTS if verdict in outcome.wrong), "ok")
    return word + seconds


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in [heading, *rows]) for place in range(len(heading))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"

    return [line(heading), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]
