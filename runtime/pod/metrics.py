"""Tracks the progress of a fetch and formats it as numbers, as Prometheus text and as one line for the log.

Counts bytes on the disk, because the download library does not report progress within a file.
"""

import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

# Speed is averaged over this many samples, so that a short pause does not show as a stall.
SAMPLES = 5
COMPLETE = "complete"


@dataclass
class Progress:
    """Shared between the thread that samples and those that answer requests."""

    phase: str = "starting"
    bytes_total: int = 0
    bytes_done: int = 0
    files: int = 0
    attempts: int = 0
    moved_at: float = field(default_factory=time.monotonic)
    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self, done: int, now: float) -> None:
        """Records the bytes on the disk at a time (monotonic seconds)."""
        with self._lock:
            if done != self.bytes_done or not self._samples:
                self.moved_at = now
            self.bytes_done = done
            self._samples.append((now, done))

    def speed(self) -> float:
        """Bytes per second over the last samples; 0 while there are fewer than two."""
        with self._lock:
            samples = list(self._samples)
        if len(samples) < 2 or samples[-1][0] <= samples[0][0]:
            return 0.0
        return max(0.0, (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0]))

    def remaining_s(self) -> float:
        """Seconds until the end at the current speed; -1 if unknown."""
        if self.phase == COMPLETE:
            return 0.0
        speed = self.speed()
        return (self.bytes_total - self.bytes_done) / speed if speed > 0 and self.bytes_total else -1.0

    def metrics(self) -> str:
        """Prometheus text. The two kaito_ names are those of KAITO's downloader, so that dashboards keep working."""
        values = {
            "modelyard_fetch_bytes": self.bytes_done,
            "modelyard_fetch_bytes_expected": self.bytes_total,
            "modelyard_fetch_files_expected": self.files,
            "modelyard_fetch_attempts": self.attempts,
            "modelyard_fetch_complete": int(self.phase == COMPLETE),
            "kaito_model_download_speed_bytes_per_second": self.speed(),
            "kaito_model_download_remaining_seconds": self.remaining_s(),
        }
        return "".join(f"# TYPE {name} gauge\n{name} {value:g}\n" for name, value in values.items())

    def state(self) -> dict[str, object]:
        """Returns the body of /healthz."""
        return {
            "phase": self.phase,
            "bytes": self.bytes_done,
            "bytesExpected": self.bytes_total,
            "attempts": self.attempts,
        }

    def line(self) -> str:
        """One line for the log."""
        done, total = self.bytes_done / 1e6, self.bytes_total / 1e6
        return f"{self.phase}: {done:.0f} of {total:.0f} MB at {self.speed() / 1e6:.1f} MB/s"


def bytes_below(folder: Path) -> int:
    """Bytes of the files below a folder that are on the disk. Files may vanish or be renamed meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue  # renamed between listing and stat
            # A sparse file, written out of order, is longer than its content.
            total += min(found.st_size, found.st_blocks * 512)
    return total
