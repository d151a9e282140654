"""Maps exceptions to failures. The only file that matches on libraries' error messages.

Does not import the libraries: recognizes torch's errors by name, so that processes without torch can use it too.
"""

import errno
import shutil
from pathlib import Path

from runtime.pod.exit import Failure
from runtime.pod.termination import Kind
from runtime.tune.failures import ACCELERATOR, CRASHED, DISK_FULL, IMPOSSIBLE, OUT_OF_MEMORY

NEARLY_NOTHING = 4 << 20
"""Bytes. If a write failed with less free disk than this, the disk is full."""
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
_NO_DISK = ("no space left on device", "disk quota exceeded")
_WRITING = ("writ", "serializ", "inline_container")
"""The last is from torch closing a truncated file: "unexpected pos 80064 vs 79952"."""
_ACCELERATOR = ("cuda error", "nccl error", "cublas_status", "cudnn_status", "ecc error", "device-side assert")
_COMES_AGAIN = (
    *("TypeError", "ValueError", "LookupError", "AttributeError", "AssertionError", "ImportError", "ArithmeticError"),
    *("RuntimeError", "NameError", "TemplateError", "SafetensorError", "ArrowException"),
)
"""What libraries raise for settings, models and data that do not fit. Names, also of base classes."""
_MAY_PASS = ("OSError", "DistError", "HTTPError", "BrokenProcessPool", "BrokenExecutor", "StopIteration")
"""The same of the network, of disks and of other processes; these count where an exception is both."""
_MAY_PASS_WORDS = (
    *("cuda", "nvidia", "nccl", "gloo", "connect", "timed out", "timeout", "dataloader worker", "killed by signal"),
    *("shared memory", "already in use", "temporarily unavailable", "too many open files", "broken pipe", "busy"),
)
"""Of a RuntimeError, which libraries raise for everything."""
_FIXES = {
    IMPOSSIBLE: "it failed before the first step and would fail again: change what it names, or read the pod's log",
    OUT_OF_MEMORY: "lower max_length, use method qlora, or use a machine with more memory",
    DISK_FULL: "use a larger volume for checkpoints and results",
    ACCELERATOR: "training resumes from the last checkpoint; if the error repeats, the machine's accelerator is broken",
}


def failure_of(error: Exception, folder: Path, *, stepped: bool = True) -> Failure:
    """Maps an exception to its failure; `folder` is where the training writes, `stepped` whether a step was trained:
    before the first, most of what libraries raise is about settings, model or data, and comes again."""
    known = _within(error)
    if known is not None:
        return known
    kind = _kind_of(error, folder)
    if kind is CRASHED and not stepped and comes_again(error):
        kind = IMPOSSIBLE
    fix = f"; {_FIXES[kind]}" if kind in _FIXES else "; see the log of the training pod"
    return Failure(kind, f"{type(error).__name__}: {_first_line(error)}{fix}")


def comes_again(error: BaseException) -> bool:
    """Whether another start would meet the same exception; of a chain each must say so."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names.intersection(_MAY_PASS) or not names.intersection(_COMES_AGAIN):
        return False
    if isinstance(error, RuntimeError) and _any(_MAY_PASS_WORDS, str(error).lower()):
        return False
    return error.__cause__ is None or comes_again(error.__cause__)


def _within(error: BaseException | None) -> Failure | None:
    """Returns the Failure in an exception's chain: libraries wrap exceptions raised inside them."""
    while error is not None and not isinstance(error, Failure):
        error = error.__cause__
    return error


def _kind_of(error: BaseException, folder: Path) -> Kind:
    text = str(error).lower()
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError) or _any(_NO_MEMORY, text):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    if _any(_NO_DISK, text) or (_any(_WRITING, text) and _free_bytes(folder) < NEARLY_NOTHING):
        return DISK_FULL
    if type(error).__name__ in ("AcceleratorError", "DistBackendError") or _any(_ACCELERATOR, text):
        return ACCELERATOR
    inner = error.__cause__
    return _kind_of(inner, folder) if inner is not None else CRASHED


def _any(parts: tuple[str, ...], text: str) -> bool:
    return any(part in text for part in parts)


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free if folder.is_dir() else NEARLY_NOTHING


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3])
