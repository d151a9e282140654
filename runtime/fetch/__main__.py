"""`python -m runtime.fetch --model ORG/NAME --revision SHA --to /weights`: fetches once, reports it, then idles.

The weights are in /weights/<revision>; `.complete` is written last, by rename, so its presence means that they are
complete. A restarted container finds it and downloads nothing. Exit codes and reasons are in `pod/termination.py`.
"""

import argparse
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from api.pods.weights import COMPLETE_MARKER, FETCH_PORT, WEIGHTS_ROOT
from runtime.fetch.supervision import download_argv, fetch
from runtime.pod.metrics import COMPLETE, Progress, bytes_below
from runtime.pod.retry import RetryPolicy
from runtime.pod.status_server import start_status_server
from runtime.pod.termination import TOKEN_INVALID, FetchFailure, leave_message

# The revision becomes a folder's name. A commit, or a name where a hub has no commits.
REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
MODEL = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*(/[0-9A-Za-z][0-9A-Za-z._-]*)?")

TOKEN_FILE = "HF_TOKEN_PATH"
"""The variable by which huggingface_hub finds a file with a token."""
NO_TOKEN = "the Secret of modelAccessSecret is not there or has no key HF_TOKEN: create it, or put the token into it"


def main(argv: list[str] | None = None) -> int:
    """Fetches, idles until SIGTERM and returns 0; a failed fetch returns its exit code at once."""
    options = _parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    progress = Progress()
    start_status_server(progress, options.port)
    try:
        _ensure_weights(options, progress)
        while not options.once:
            signal.pause()
    except FetchFailure as failure:
        leave_message(failure)
        # Readers of the log, or of the kubelet's excerpt of it, see the last line.
        print(json.dumps({"reason": failure.kind.reason, "message": failure.message}), flush=True)
        return failure.kind.exit_code
    except _Stopped:
        return 0 if progress.phase == COMPLETE else 128 + signal.SIGTERM
    return 0


class _Stopped(BaseException):
    """SIGTERM was received. Partial downloads are kept for the next start."""


def _stop(number: int, frame: FrameType | None) -> None:
    # A second signal must not interrupt the shutdown of the download.
    for known in (signal.SIGTERM, signal.SIGINT):
        signal.signal(known, signal.SIG_IGN)
    raise _Stopped


def _ensure_weights(options: argparse.Namespace, progress: Progress) -> None:
    folder = Path(options.to) / options.revision
    marker = folder / COMPLETE_MARKER
    if not marker.exists():
        _require_token(os.environ)
        more = ["--tokenizer-only"] if options.tokenizer_only else []
        command = download_argv(options.model, options.revision, folder, *more)
        retry_policy = RetryPolicy(stall_s=options.stall_s, attempts=options.attempts)
        fetch(command, folder, progress, retry_policy, _log)
        _mark(folder, marker, options)
    progress.bytes_done = progress.bytes_total = bytes_below(folder)
    progress.phase = COMPLETE
    _log(progress.line())


def _require_token(environment: Mapping[str, str]) -> None:
    """The pod names a file for the token exactly if the Workspace names a Secret. Raises FetchFailure without a token:
    the hub would say that the model is gated, or not there."""
    file = environment.get(TOKEN_FILE)
    try:
        empty = file is not None and not Path(file).read_text().strip()
    except OSError as error:
        raise FetchFailure(TOKEN_INVALID, f"{NO_TOKEN} ({error.strerror})") from error
    if empty:
        raise FetchFailure(TOKEN_INVALID, f"{NO_TOKEN} (it is empty)")


def _mark(folder: Path, marker: Path, options: argparse.Namespace) -> None:
    # The hub library's resume state, not needed any more.
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    partial = marker.with_suffix(".partial")
    partial.write_text(json.dumps({"model": options.model, "revision": options.revision}))
    partial.rename(marker)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runtime.fetch", description="Fetches a model's weights.")
    parser.add_argument("--model", required=True, type=_matching(MODEL), help="repository, ORG/NAME")
    parser.add_argument("--revision", required=True, type=_matching(REVISION), help="the commit to fetch")
    parser.add_argument("--to", default=WEIGHTS_ROOT, help="folder in which a folder of the revision is filled")
    parser.add_argument("--port", type=int, default=FETCH_PORT, help="port of /metrics and /healthz")
    parser.add_argument("--stall-s", type=float, default=RetryPolicy.stall_s, help="seconds without a byte: a stall")
    parser.add_argument("--attempts", type=int, default=RetryPolicy.attempts, help="tries before giving up")
    parser.add_argument("--tokenizer-only", action="store_true", help="fetch the tokenizer's files, no weights")
    parser.add_argument("--once", action="store_true", help="end when the weights are there instead of idling")
    return parser


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise argparse.ArgumentTypeError(f"{text!r} does not match {pattern.pattern}")
        return text

    return check


def _log(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
