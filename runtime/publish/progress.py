"""The progress of publishing, as reported by /metrics and /healthz. Bytes are counted as they are sent."""

import time
from dataclasses import dataclass

from runtime.pod.metrics import COMPLETE, Progress


@dataclass
class PublishProgress(Progress):
    """`uploaded` counts bytes of blobs sent; `bytes_done` also those that the registry already had."""

    uploaded: int = 0

    def advance(self, count: int) -> None:
        """Adds bytes that the registry has or that are being sent."""
        self.sample(self.bytes_done + count, time.monotonic())

    def metrics(self) -> str:
        """Prometheus text."""
        values = {
            "modelyard_publish_bytes": self.bytes_done,
            "modelyard_publish_bytes_expected": self.bytes_total,
            "modelyard_publish_bytes_uploaded": self.uploaded,
            "modelyard_publish_attempts": self.attempts,
            "modelyard_publish_bytes_per_second": self.speed(),
            "modelyard_publish_complete": int(self.phase == COMPLETE),
        }
        return "".join(f"# TYPE {name} gauge\n{name} {value:g}\n" for name, value in values.items())
