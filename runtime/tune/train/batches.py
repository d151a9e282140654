"""How many rows are computed at once, and what becomes of that when memory does not suffice. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Rows a process computes at once, and how often before the weights move."""

    size: int
    accumulation: int

    def halved(self) -> "Batch | None":
        """At most half the rows at once, the same number between two moves; None when there is nothing to halve."""
        size = next((part for part in range(self.size // 2, 0, -1) if self.size % part == 0), None)
        return None if size is None else Batch(size, self.accumulation * (self.size // size))

    def __str__(self) -> str:
        return f"{self.size} x {self.accumulation}"
