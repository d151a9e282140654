"""One measured figure as a JSON line, with its goal where there is one. Decides only whether a goal is met."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Figure:
    """`goal` is an upper bound in the figure's unit; None where there is none."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    def line(self) -> str:
        """The JSON line; `ok` says whether the goal is met, null without one."""
        ok = None if self.goal is None else self.value <= self.goal
        return json.dumps(asdict(self) | {"value": round(self.value, 3), "ok": ok})


def tell(*figures: Figure) -> None:
    """Prints each on a line of its own at once."""
    for figure in figures:
        print(figure.line())
    sys.stdout.flush()


def p50(values: Sequence[float]) -> float:
    """The median."""
    return median(values)


def p90(values: Sequence[float]) -> float:
    """The 90th percentile."""
    return quantiles(values, n=10, method="inclusive")[8]
