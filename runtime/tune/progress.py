"""Tracks a training's progress from its processes' reports; formats it as status, Prometheus text and a log line.

The status file is replaced atomically, so that a reader sees the old one or the new one.
"""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.pods.tune import STATUS_FILE, STEPS_FILE, TuneStatus

# Speed is averaged over this many steps, so that a checkpoint in between does not show as a stall.
SAMPLES = 20
WRITE_EVERY_S = 1.0


class Progress:
    """Shared between the thread that reads reports, those that serve requests, and the main thread."""

    def __init__(self, folder: Path) -> None:
        """`folder` outlives the pod: progress that earlier pods wrote there is carried over."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file, self._steps = folder / STATUS_FILE, folder / STEPS_FILE
        self.status = _carried_over(self._file, _lines(self._steps))
        self.moved_at = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._written_at = 0.0
        self._lock = threading.RLock()

    def take(self, message: Mapping[str, Any]) -> None:
        """Applies a report of a process: fields of the status, a step, a warning."""
        with self._lock:
            self.moved_at = time.monotonic()
            if step := message.get("step_trained"):
                self._take_step(step)
            elif warning := message.get("warning"):
                self.status.warnings = list(dict.fromkeys([*self.status.warnings, str(warning)]))
            else:
                self.update(**message)
                return
            self._write_at_times()

    def update(self, **fields: Any) -> None:
        """Changes the status and writes it at once."""
        with self._lock:
            if fields.get("phase", self.status.phase) != self.status.phase:
                self._samples.clear()
            known = {name: value for name, value in fields.items() if name in TuneStatus.model_fields}
            self.status = TuneStatus.model_validate(self.status.model_dump() | known)
            self.write()

    def write(self) -> None:
        """Replaces the status file. Raises OSError, for example if the disk is full."""
        with self._lock:
            partial = self._file.with_suffix(".partial")
            partial.write_text(self.status.model_dump_json(indent=1))
            os.replace(partial, self._file)
            self._written_at = time.monotonic()

    def metrics(self) -> str:
        """Prometheus text."""
        status = self.status
        values: dict[str, float | None] = {
            "modelyard_tune_step": status.step,
            "modelyard_tune_steps_expected": status.total_steps,
            "modelyard_tune_steps_trained": status.steps_trained,
            "modelyard_tune_epoch": status.epoch,
            "modelyard_tune_loss": status.loss,
            "modelyard_tune_eval_loss": status.eval_loss,
            "modelyard_tune_learning_rate": status.learning_rate,
            "modelyard_tune_gradient_norm": status.gradient_norm,
            "modelyard_tune_tokens": status.tokens,
            "modelyard_tune_tokens_per_second": status.tokens_per_s,
            "modelyard_tune_remaining_seconds": status.eta_s,
            "modelyard_tune_last_checkpoint_step": status.last_checkpoint,
            "modelyard_tune_attempts": status.attempts,
            "modelyard_tune_peak_memory_bytes": status.peak_memory_bytes,
            "modelyard_tune_complete": int(status.phase == "complete"),
            "modelyard_tune_failed": int(status.phase == "failed"),
        }
        known = {name: value for name, value in values.items() if value is not None}
        return "".join(f"# TYPE {name} gauge\n{name} {value:.12g}\n" for name, value in known.items())

    def state(self) -> dict[str, Any]:
        """Returns the body of /healthz."""
        return self.status.model_dump()

    def line(self) -> str:
        """One line for the log."""
        status = self.status
        parts = [f"{status.phase}: step {status.step} of {status.total_steps}"]
        parts += [f"loss {status.loss:.4f}"] if status.loss is not None else []
        parts += [f"{status.tokens_per_s:.0f} tokens/s"] if status.tokens_per_s else []
        parts += [f"{status.eta_s:.0f} s to go"] if status.eta_s is not None else []
        return ", ".join(parts)

    def _take_step(self, step: Mapping[str, Any]) -> None:
        now = time.monotonic()
        self._samples.append((now, int(step["step"])))
        with self._steps.open("a") as steps:
            steps.write(json.dumps({**step, "time": round(time.time(), 3)}) + "\n")
        trained = self.status.steps_trained + 1
        fields = {**step, "steps_trained": trained, "eta_s": self._eta_s(int(step["step"]))}
        self.status = TuneStatus.model_validate(self.status.model_dump() | fields)

    def _eta_s(self, step: int) -> float | None:
        first_at, first = self._samples[0]
        last_at, last = self._samples[-1]
        if last <= first:
            return None
        return round((last_at - first_at) / (last - first) * max(0, self.status.total_steps - step), 1)

    def _write_at_times(self) -> None:
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self.write()


def _carried_over(file: Path, steps_trained: int) -> TuneStatus:
    """Returns the part of an earlier pod's status that is still valid."""
    try:
        before = TuneStatus.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValueError):
        before = TuneStatus()
    over = {"phase", "reason", "message", "warnings", "eta_s", "tokens_per_s", "steps_trained"}
    return TuneStatus(**before.model_dump(exclude=over), steps_trained=steps_trained)


def _lines(file: Path) -> int:
    if not file.exists():
        return 0
    with file.open("rb") as lines:
        return sum(1 for _ in lines)
