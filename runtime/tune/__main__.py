"""`python -m runtime.tune --config /etc/modelyard/tune.json`: trains an adapter and reports progress.

This process does not load the model: it runs the processes that do, serves /metrics and /healthz, writes the status
file, and forwards SIGTERM so that a checkpoint is written first. Exit codes and reasons are in `failures.py`.
"""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from api.pods.tune import TUNE_CONFIG_PATH, TuneConfig
from runtime.pod.exit import Failure, leave, log_line, read_config
from runtime.pod.status_server import start_status_server
from runtime.tune.classify import failure_of
from runtime.tune.failures import STOPPED, final_report
from runtime.tune.progress import Progress
from runtime.tune.steps import Run

LOG_EVERY_S = 10.0


def main(argv: list[str] | None = None) -> int:
    """Returns 0 if the adapter is in the output folder, otherwise the failure's exit code."""
    parser = argparse.ArgumentParser(prog="python -m runtime.tune", description="Trains an adapter.")
    parser.add_argument("--config", type=Path, default=Path(TUNE_CONFIG_PATH), help="tune.json")
    options = parser.parse_args(argv)
    stop = _Stop()
    try:
        return _tune(options.config, stop)
    except Failure as failure:
        leave({"reason": failure.kind.reason, "message": failure.message})
        return failure.kind.exit_code


def _tune(config_file: Path, stop: "_Stop") -> int:
    config = read_config(config_file, TuneConfig)
    folder = Path(config.checkpoint_folder)
    progress = _progress(folder)
    start_status_server(progress, config.port)
    threading.Thread(target=_report_at_times, args=(progress,), name="report", daemon=True).start()
    try:
        Run(config, config_file, progress, stop.is_asked, log_line).tune()
    except (Failure, OSError) as error:
        failure = failure_of(error, folder)
        _note(progress, failure)
        raise failure from error
    leave(final_report(progress.status))
    return 0


def _progress(folder: Path) -> Progress:
    try:
        return Progress(folder)
    except OSError as error:
        raise failure_of(error, folder) from error


class _Stop:
    """Whether this container was asked to stop."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def is_asked(self) -> bool:
        return self._asked.is_set()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked.set()


def _note(progress: Progress, failure: Failure) -> None:
    phase = "stopped" if failure.kind is STOPPED else "failed"
    try:
        progress.update(phase=phase, reason=failure.kind.reason, message=failure.message)
    except OSError as error:
        log_line(f"the status file cannot be written: {error}")


def _report_at_times(progress: Progress) -> None:
    logged = ""
    while True:
        time.sleep(LOG_EVERY_S)
        if (line := progress.line()) != logged:
            log_line(line)
            logged = line


if __name__ == "__main__":
    sys.exit(main())
