"""Runs downloads until one succeeds: detects stalls, retries what can be retried, gives up after a limit.

Runs `download.py` as a process; everything about the hub is left to it.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runtime.pod.metrics import Progress, bytes_below
from runtime.pod.retry import RetryPolicy
from runtime.pod.termination import STALLED, FetchFailure, kind_of_exit

TERMINATE_S = 10.0


def fetch(
    argv: list[str], folder: Path, progress: Progress, retry_policy: RetryPolicy, log: Callable[[str], None]
) -> None:
    """Returns when a download has succeeded. Raises FetchFailure with the last attempt's reason."""
    for attempt in range(1, retry_policy.attempts + 1):
        progress.attempts = attempt
        try:
            _attempt(argv, folder, progress, retry_policy, log)
        except FetchFailure as failure:
            if not failure.kind.worth_retrying or attempt == retry_policy.attempts:
                raise
            pause = retry_policy.pause_s(attempt)
            log(f"attempt {attempt} of {retry_policy.attempts}: {failure.message}; trying again in {pause:.0f} s")
            progress.phase = "waiting"
            time.sleep(pause)
        else:
            return


def download_argv(model: str, revision: str, folder: Path, *more: str) -> list[str]:
    """Returns the command of one attempt; `more`: options of the download."""
    options = ["--model", model, "--revision", revision, "--to", str(folder), *more]
    return [sys.executable, "-m", "runtime.fetch.download", *options]


def _attempt(
    argv: list[str], folder: Path, progress: Progress, retry_policy: RetryPolicy, log: Callable[[str], None]
) -> None:
    progress.phase = "downloading"
    progress.sample(bytes_below(folder), time.monotonic())
    progress.moved_at = time.monotonic()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    reported: dict[str, object] = {}
    reader = threading.Thread(target=_read, args=(child, progress, reported), daemon=True)
    reader.start()
    try:
        _watch(child, folder, progress, retry_policy, log)
    finally:
        _end(child)
        reader.join(TERMINATE_S)
        if child.stdout is not None:
            child.stdout.close()
    if child.returncode != 0:
        text = reported.get("message") or f"the download ended with code {child.returncode}"
        raise FetchFailure(kind_of_exit(child.returncode), str(text))


def _watch(
    child: "subprocess.Popen[str]",
    folder: Path,
    progress: Progress,
    retry_policy: RetryPolicy,
    log: Callable[[str], None],
) -> None:
    while child.poll() is None:
        try:
            child.wait(retry_policy.sample_s)
        except subprocess.TimeoutExpired:
            progress.sample(bytes_below(folder), time.monotonic())
            log(progress.line())
        idle = time.monotonic() - progress.moved_at
        if child.poll() is None and idle > retry_policy.stall_s:
            raise FetchFailure(STALLED, f"no byte arrived for {idle:.0f} s ({progress.line()})")


def _read(child: "subprocess.Popen[str]", progress: Progress, reported: dict[str, object]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            fields = json.loads(line)
        except ValueError:
            print(line, end="", flush=True)
            continue
        reported.update(fields)
        progress.files = int(fields.get("files", progress.files))
        progress.bytes_total = int(fields.get("bytes", progress.bytes_total))


def _end(child: "subprocess.Popen[str]") -> None:
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(TERMINATE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
