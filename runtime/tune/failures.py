"""How a training can fail: the reason that the Workspace's status shows, the exit code, and whether trying again helps.

    TuneFailure
      config 31, weights 32                     as in runtime/serve
      data empty 40, unreadable 41, columns 42,
      rows too long 43, model 44                somebody has to act: no second try
      loss not finite 50, out of memory 51,
      disk full 52                              the same, after what can be done here was done
      stalled 60, accelerator 61, crashed 62    a fresh start goes on from the last checkpoint
      stopped 143                               asked to stop; the checkpoint is written

The reasons are those of api/reasons.py; a test compares them. What exception is which kind is `classifying.py`'s.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from api.tuning import TuneStatus

TERMINATION_LOG = Path("/dev/termination-log")
MESSAGE_MAX = 3000
"""Characters of a message. The kubelet cuts termination messages off at 4096 bytes, a pipe's line may be as long."""
DIVERGED_FIX = (
    "lower learning_rate, add warmup_steps, look for broken rows; with fp16, use bf16 where the device has it"
)


@dataclass(frozen=True)
class Kind:
    """One way to fail."""

    reason: str
    exit_code: int
    worth_retrying: bool


CONFIG_INVALID = Kind("ConfigInvalid", 31, worth_retrying=False)
WEIGHTS_MISSING = Kind("DownloadFailed", 32, worth_retrying=True)
DATA_EMPTY = Kind("DataEmpty", 40, worth_retrying=False)
DATA_UNREADABLE = Kind("DataUnreadable", 41, worth_retrying=False)
COLUMNS_UNKNOWN = Kind("DataColumnsUnknown", 42, worth_retrying=False)
ROWS_TOO_LONG = Kind("DataRowsTooLong", 43, worth_retrying=False)
MODEL_NOT_TUNABLE = Kind("ModelNotTunable", 44, worth_retrying=False)
LOSS_NOT_FINITE = Kind("TrainingDiverged", 50, worth_retrying=False)
OUT_OF_MEMORY = Kind("TrainingOutOfMemory", 51, worth_retrying=False)
DISK_FULL = Kind("TrainingDiskFull", 52, worth_retrying=False)
STALLED = Kind("TrainingStalled", 60, worth_retrying=True)
ACCELERATOR = Kind("AcceleratorFault", 61, worth_retrying=True)
CRASHED = Kind("TrainingCrashed", 62, worth_retrying=True)
STOPPED = Kind("TrainingStopped", 143, worth_retrying=True)
KINDS = (
    CONFIG_INVALID, WEIGHTS_MISSING, DATA_EMPTY, DATA_UNREADABLE, COLUMNS_UNKNOWN, ROWS_TOO_LONG, MODEL_NOT_TUNABLE,
    LOSS_NOT_FINITE, OUT_OF_MEMORY, DISK_FULL, STALLED, ACCELERATOR, CRASHED, STOPPED,
)  # fmt: skip


class TuneFailure(Exception):
    """There is no adapter; the message says what was being done, what was wrong and the fix."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message if len(message) <= MESSAGE_MAX else f"{message[: MESSAGE_MAX - 1]}…"


def kind_of_exit(code: int) -> Kind:
    """The kind behind a process's exit code; any other code (a crash, a kill) is a training that crashed."""
    return next((kind for kind in KINDS if kind.exit_code == code), CRASHED)


def leave_message(failure: TuneFailure, log: Path = TERMINATION_LOG) -> None:
    """Says it where the kubelet looks: in the termination log, and as the last line of the output."""
    text = json.dumps({"reason": failure.kind.reason, "message": failure.message})
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(text)
    print(text, flush=True)


def leave_result(status: TuneStatus, log: Path = TERMINATION_LOG) -> None:
    """The last status, where the kubelet looks; without what would make it too long."""
    text = status.model_dump_json(exclude={"warnings"})
    if log.exists() and os.access(log, os.W_OK):
        log.write_text(text)
    print(text, flush=True)
