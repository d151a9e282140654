"""Downloads are repeated where that helps, ended when they stall, and given up after a bound. Real child processes."""

import json
import sys
import threading
from pathlib import Path

import pytest

from runtime.fetch.supervision import fetch
from runtime.pod import termination
from runtime.pod.metrics import Progress
from runtime.pod.retry import RetryPolicy
from runtime.pod.termination import FetchFailure

QUICK = RetryPolicy(stall_s=30.0, attempts=3, first_pause_s=0.01, longest_pause_s=0.01, sample_s=0.05)


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def run(argv: list[str], folder: Path, patience: RetryPolicy = QUICK) -> tuple[Progress, list[str]]:
    progress = Progress()
    said: list[str] = []
    fetch(argv, folder, progress, patience, said.append)
    return progress, said


def test_the_reported_plan_becomes_the_progress(tmp_path: Path) -> None:
    progress, _ = run(program(f"print('''{json.dumps({'files': 3, 'bytes': 77})}''')"), tmp_path)
    assert (progress.files, progress.bytes_total, progress.attempts) == (3, 77, 1)


def test_a_download_that_breaks_off_is_tried_again(tmp_path: Path) -> None:
    tried = f"pathlib.Path({str(tmp_path / 'tried')!r})"
    once = f"import pathlib, sys; sys.exit(0 if {tried}.exists() else {tried}.touch() or 21)"
    progress, said = run(program(once), tmp_path)
    assert progress.attempts == 2
    assert any("trying again" in line for line in said)


@pytest.mark.parametrize(
    "kind", [termination.GATED, termination.NOT_FOUND, termination.TOKEN_INVALID, termination.DISK_FULL]
)
def test_failures_that_a_user_must_fix_are_not_retried(kind: termination.Kind, tmp_path: Path) -> None:
    text = f"print('''{json.dumps({'reason': kind.reason, 'message': 'why'})}'''); raise SystemExit({kind.exit_code})"
    with pytest.raises(FetchFailure, match="why") as caught:
        run(program(f"import pathlib; open({str(tmp_path / 'tries')!r}, 'a').write('x'); {text}"), tmp_path)
    assert caught.value.kind == kind
    assert (tmp_path / "tries").read_text() == "x"


def test_a_crash_is_retried_up_to_the_limit_and_then_reported(tmp_path: Path) -> None:
    with pytest.raises(FetchFailure, match="ended with code 9") as caught:
        run(program(f"open({str(tmp_path / 'tries')!r}, 'a').write('x'); raise SystemExit(9)"), tmp_path)
    assert caught.value.kind == termination.BROKEN_OFF
    assert (tmp_path / "tries").read_text() == "xxx"


def test_a_stalled_download_is_ended_and_reported(tmp_path: Path) -> None:
    patience = RetryPolicy(stall_s=0.3, attempts=1, sample_s=0.05)
    with pytest.raises(FetchFailure, match="no byte arrived") as caught:
        run(program("import time; time.sleep(3600)"), tmp_path, patience)
    assert caught.value.kind == termination.STALLED


def test_a_slow_download_that_moves_is_no_stall(tmp_path: Path) -> None:
    slow = f"""
import time
for n in range(8):
    open({str(tmp_path / "file")!r}, "ab").write(b"x" * 5000)
    time.sleep(0.5)
"""
    run(program(slow), tmp_path, RetryPolicy(stall_s=3.0, attempts=1, sample_s=0.05))
    assert (tmp_path / "file").stat().st_size == 40_000


def test_pauses_grow_and_end_growing() -> None:
    patience = RetryPolicy(first_pause_s=2.0, longest_pause_s=10.0)
    pauses = [patience.pause_s(attempt) for attempt in range(1, 6)]
    assert all(low <= pause <= low * 1.25 for low, pause in zip((2, 4, 8, 10, 10), pauses, strict=True))


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    run(program("pass"), tmp_path)
    assert threading.active_count() == before
