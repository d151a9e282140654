"""The result of a measurement: one JSON line with the value, its unit, the goal and whether it was met."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Result:
    """`goal` is a limit in the same unit; None where there is none, and then `ok` is None too. `at` is the commit whose
    processes were measured, "." for this checkout as it is."""

    name: str
    value: float
    unit: str
    how: str
    goal: float | None = None
    n: int = 1
    limit: Literal["at most", "at least"] = "at most"
    at: str = "."

    @property
    def ok(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value <= self.goal if self.limit == "at most" else self.value >= self.goal

    def line(self) -> str:
        """One line of JSON."""
        fields = asdict(self) | {"value": round(self.value, 3), "ok": self.ok}
        order = ("name", "value", "unit", "goal", "limit", "ok", "n", "at", "how")
        return json.dumps({key: fields[key] for key in order})


def print_all(results: Iterable[Result]) -> bool:
    """Prints each result as it arrives; returns whether every goal was met."""
    met = True
    for result in results:
        print(result.line(), flush=True)
        met = met and result.ok is not False
    return met


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as this share (0..1) of all. Raises ValueError for no values."""
    if not values:
        raise ValueError("a percentile needs at least one value")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
