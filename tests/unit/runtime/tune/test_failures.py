"""Every kind of failure has its own exit code and a reason that statuses know; libraries' words are told apart."""

import errno
from pathlib import Path

import pytest

from api.reasons import REASONS
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.pod.termination import Kind
from runtime.tune.classify import failure_of
from runtime.tune.failures import (
    ACCELERATOR,
    COLUMNS_UNKNOWN,
    CRASHED,
    DISK_FULL,
    IMPOSSIBLE,
    KINDS,
    OUT_OF_MEMORY,
    kind_of_exit,
)


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


def test_codes_are_different_and_reasons_are_in_the_table() -> None:
    assert len({kind.exit_code for kind in KINDS}) == len(KINDS)
    assert {kind.reason for kind in KINDS} <= set(REASONS)


def test_what_is_worth_another_try_is_so_in_both_tables() -> None:
    for kind in KINDS:
        assert (REASONS[kind.reason].failure == "retry") == kind.worth_retrying, kind


@pytest.mark.parametrize("code", [1, -9, 137, 255])
def test_any_other_code_is_a_crash(code: int) -> None:
    assert kind_of_exit(code) is CRASHED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), OUT_OF_MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), OUT_OF_MEMORY),
        (MemoryError(), OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), DISK_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), DISK_FULL),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), DISK_FULL),
        (RuntimeError("CUDA error: unspecified launch failure"), ACCELERATOR),
        (RuntimeError("No CUDA GPUs are available"), ACCELERATOR),
        (RuntimeError("NCCL error in: ProcessGroupNCCL.cpp:3384, unhandled system error"), ACCELERATOR),
        (ValueError("too many values to unpack"), CRASHED),
        (caused(RuntimeError("wrapped"), MemoryError()), OUT_OF_MEMORY),
        (caused(RuntimeError("wrapped"), Failure(COLUMNS_UNKNOWN, "no columns")), COLUMNS_UNKNOWN),
        (Failure(CONFIG_INVALID, "wrong"), CONFIG_INVALID),
    ],
)
def test_exceptions_map_to_their_kinds(error: Exception, kind: Kind, tmp_path: Path) -> None:
    assert failure_of(error, tmp_path).kind is kind


class SafetensorError(Exception):
    """Named as safetensors'."""


class LocalEntryNotFoundError(FileNotFoundError, ValueError):
    """Named as the hub's: both of the network and of a value."""


@pytest.mark.parametrize(
    "error",
    [
        TypeError("unexpected keyword argument"),
        ValueError("Target modules {'x'} not found in the base model"),
        KeyError("input_ids"),
        RuntimeError("generator raised StopIteration"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x32 and 64x8)"),
        SafetensorError("header too large"),
        caused(RuntimeError("wrapped"), TypeError("inner")),
    ],
)
def test_what_comes_again_before_the_first_step_is_not_tried_twenty_times(error: Exception, tmp_path: Path) -> None:
    assert failure_of(error, tmp_path, stepped=False).kind is IMPOSSIBLE
    assert failure_of(error, tmp_path, stepped=True).kind is CRASHED


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        ConnectionResetError("reset"),
        LocalEntryNotFoundError("no network"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
        caused(ValueError("wrapped"), TimeoutError("late")),
        Exception("of a library that is not known"),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, tmp_path: Path) -> None:
    assert failure_of(error, tmp_path, stepped=False).kind is CRASHED


def test_a_crash_names_the_exception_and_where_more_stands(tmp_path: Path) -> None:
    told = failure_of(ValueError("first\n\nsecond"), tmp_path).message
    assert told == "ValueError: first second; see the log of the training pod"
