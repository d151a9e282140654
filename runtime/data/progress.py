"""The progress of fetching data, as reported by /metrics and /healthz."""

import time
from dataclasses import dataclass

from runtime.pod.metrics import COMPLETE, Progress


@dataclass
class DataProgress(Progress):
    """`rows` counts the rows validated so far."""

    rows: int = 0

    def advance(self, count: int) -> None:
        """Adds received bytes."""
        self.sample(self.bytes_done + count, time.monotonic())

    def metrics(self) -> str:
        """Prometheus text."""
        values = {
            "modelyard_data_bytes": self.bytes_done,
            "modelyard_data_bytes_expected": self.bytes_total,
            "modelyard_data_files_expected": self.files,
            "modelyard_data_attempts": self.attempts,
            "modelyard_data_bytes_per_second": self.speed(),
            "modelyard_data_rows": self.rows,
            "modelyard_data_complete": int(self.phase == COMPLETE),
        }
        return "".join(f"# TYPE {name} gauge\n{name} {value:g}\n" for name, value in values.items())
