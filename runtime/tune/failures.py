"""The failures of a training: the reason that the Workspace's status shows, the exit code, and whether a retry helps.

    Failure
      config 31, weights 32                     as in runtime/serve
      data not found 80, empty 40, unreadable 41,
      columns 42, rows too long 43, model 44,
      impossible 45                             the user has to act: not retried
      loss not finite 50, out of memory 51,
      disk full 52                              the same, after the possible remedies here
      stalled 60, accelerator 61, crashed 62    a new start resumes from the last checkpoint
      stopped 143                               SIGTERM; the checkpoint is written

The reasons are those of api/reasons.py; a test compares them. `classify.py` maps exceptions to them.
"""

from collections.abc import Mapping
from typing import Any

from api.pods.tune import TuneStatus
from runtime.pod.exit import CONFIG_INVALID, MESSAGE_MAX
from runtime.pod.termination import Kind
from runtime.rows import failures as rows

DIVERGED_FIX = "lower learning_rate, add warmup_steps, check the rows; with fp16, use bf16 if the device supports it"

WEIGHTS_MISSING = Kind("DownloadFailed", 32, worth_retrying=True)
DATA_NOT_FOUND = rows.NOT_FOUND
DATA_EMPTY = rows.EMPTY
DATA_UNREADABLE = rows.UNREADABLE
COLUMNS_UNKNOWN = rows.COLUMNS_UNKNOWN
ROWS_TOO_LONG = Kind("DataRowsTooLong", 43, worth_retrying=False)
MODEL_NOT_TUNABLE = Kind("ModelNotTunable", 44, worth_retrying=False)
IMPOSSIBLE = Kind("TrainingImpossible", 45, worth_retrying=False)
LOSS_NOT_FINITE = Kind("TrainingDiverged", 50, worth_retrying=False)
OUT_OF_MEMORY = Kind("TrainingOutOfMemory", 51, worth_retrying=False)
DISK_FULL = Kind("TrainingDiskFull", 52, worth_retrying=False)
STALLED = Kind("TrainingStalled", 60, worth_retrying=True)
ACCELERATOR = Kind("AcceleratorFault", 61, worth_retrying=True)
CRASHED = Kind("TrainingCrashed", 62, worth_retrying=True)
STOPPED = Kind("TrainingStopped", 143, worth_retrying=True)
KINDS = (
    CONFIG_INVALID, WEIGHTS_MISSING, DATA_NOT_FOUND, DATA_EMPTY, DATA_UNREADABLE, COLUMNS_UNKNOWN, ROWS_TOO_LONG,
    MODEL_NOT_TUNABLE, IMPOSSIBLE, LOSS_NOT_FINITE, OUT_OF_MEMORY, DISK_FULL, STALLED, ACCELERATOR, CRASHED, STOPPED,
)  # fmt: skip


def kind_of_exit(code: int) -> Kind:
    """Returns the kind for a process's exit code; any other code (a crash, a kill) counts as crashed."""
    return next((kind for kind in KINDS if kind.exit_code == code), CRASHED)


def final_report(status: TuneStatus) -> Mapping[str, Any]:
    """Returns the termination message of a successful training; without its warnings if there are many."""
    result = status.model_dump()
    return result if len(str(result)) < MESSAGE_MAX else status.model_dump(exclude={"warnings", "adjustments"})
