"""Retries with growing pauses: how long a program waits and how often it retries."""

import random
from dataclasses import dataclass

SAMPLE_S = 2.0


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait and how often to try. Seconds."""

    stall_s: float = 120.0
    attempts: int = 5
    first_pause_s: float = 2.0
    longest_pause_s: float = 60.0
    sample_s: float = SAMPLE_S

    def pause_s(self, attempt: int) -> float:
        """Returns the pause after attempt 1, 2, ...: doubled each time, plus up to 25 % jitter to spread pods."""
        pause = min(self.longest_pause_s, self.first_pause_s * 2 ** (attempt - 1))
        return float(pause * (1 + random.random() / 4))
