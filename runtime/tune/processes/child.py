"""Start and end of every training process: parses its arguments, opens its pipe, reports its failure."""

import argparse
import traceback
from collections.abc import Callable
from pathlib import Path

from api.pods.tune import TuneConfig
from runtime.pod.exit import read_config
from runtime.tune.classify import failure_of
from runtime.tune.processes.progress_pipe import ProgressPipe

Work = Callable[[TuneConfig, ProgressPipe, argparse.Namespace], None]


def child(
    argv: list[str] | None, work: Work, *, more: Callable[[argparse.ArgumentParser], object] | None = None
) -> int:
    """Runs the work; on an exception reports it to the supervisor and returns its exit code."""
    parser = argparse.ArgumentParser(description="A process of a training; started by python -m runtime.tune.")
    parser.add_argument("--config", type=Path, required=True, help="tune.json")
    parser.add_argument("--tell", type=int, required=True, help="file descriptor of the pipe for reports")
    if more is not None:
        more(parser)
    options = parser.parse_args(argv)
    pipe = ProgressPipe(options.tell)
    config = read_config(options.config, TuneConfig)
    try:
        work(config, pipe, options)
    except Exception as error:
        failure = failure_of(error, Path(config.checkpoint_folder), stepped=pipe.stepped)
        traceback.print_exc()
        pipe.fail(failure)
        return failure.kind.exit_code
    return 0
