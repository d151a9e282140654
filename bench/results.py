"""What a measurement says: one JSON line with the value, its unit, the goal and whether it was met."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Result:
    """`goal` is an upper limit in the same unit; None where there is none, and then `ok` is None too."""

    name: str
    value: float
    unit: str
    how: str
    goal: float | None = None
    n: int = 1

    @property
    def ok(self) -> bool | None:
        return None if self.goal is None else self.value <= self.goal

    def line(self) -> str:
        """One line of JSON."""
        fields = asdict(self) | {"value": round(self.value, 3), "ok": self.ok}
        order = ("name", "value", "unit", "goal", "ok", "n", "how")
        return json.dumps({key: fields[key] for key in order})


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as this share (0..1) of all. Raises ValueError for no values."""
    if not values:
        raise ValueError("a percentile of nothing was asked for")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
