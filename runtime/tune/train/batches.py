"""The batch size, and how it shrinks after running out of memory. Pure functions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Rows that a process computes at once, and the number of such batches per optimizer step."""

    size: int
    accumulation: int

    def halved(self) -> "Batch | None":
        """Returns at most half the rows at once with the same total per optimizer step; None if it cannot be halved."""
        size = next((part for part in range(self.size // 2, 0, -1) if self.size % part == 0), None)
        return None if size is None else Batch(size, self.accumulation * (self.size // size))

    def __str__(self) -> str:
        return f"{self.size} x {self.accumulation}"
