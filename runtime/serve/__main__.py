"""`python -m runtime.serve --config /etc/modelyard/serve.json`: runs the server, and leaves its first error.

The server is a process of its own (`server.py`) with processes of vLLM's below it. Here its output is passed on and
watched: whatever of it is killed, what it said is known. Imports nothing heavy; a signal to end is passed on.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import IO, Final

from runtime.serve.evidence.first_error import OutputWatch
from runtime.serve.evidence.verdicts import verdict_of
from runtime.serve.failures import leave_text, own_exit_codes

MEMORY_EVENTS: Final = Path("/sys/fs/cgroup/memory.events")
CHUNK: Final = 2**16
OUTPUT_ENDS_S: Final = 10.0
"""Processes of the engine that outlive the server hold its output open."""


def main(argv: list[str] | None = None) -> int:
    """Returns when the server has ended, with its exit code or that of the verdict."""
    given = sys.argv[1:] if argv is None else argv
    kills = oom_kills()
    child = subprocess.Popen(
        [sys.executable, "-m", "runtime.serve.server", *given], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    told = _pass_signals_on(child)
    watch = OutputWatch()
    reader = threading.Thread(target=_pass_output_on, args=(child.stdout, watch), daemon=True)
    reader.start()
    code = _exit_code(child.wait())
    reader.join(OUTPUT_ENDS_S)
    if code == 0 or told.is_set() or code in own_exit_codes():
        return code
    verdict = verdict_of(watch, code, oom_killed=oom_kills() > kills)
    leave_text(verdict.text())
    return verdict.exit_code


def oom_kills(file: Path = MEMORY_EVENTS) -> int:
    """How many processes of this container the kernel has killed for their memory; 0 where it is not counted."""
    try:
        lines = dict(line.split(maxsplit=1) for line in file.read_text().splitlines())
        return int(lines.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def _pass_signals_on(child: "subprocess.Popen[bytes]") -> threading.Event:
    """PID 1 of a container ignores signals without a handler. A terminal interrupts all its processes by itself."""
    told = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told.set()
        if number == signal.SIGTERM:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return told


def _pass_output_on(stream: IO[bytes] | None, watch: OutputWatch) -> None:
    """At once, lines or not: a progress bar has none."""
    assert stream is not None
    rest = b""
    while chunk := os.read(stream.fileno(), CHUNK):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        rest = rest[-CHUNK:]
        for line in lines:
            watch.feed(line.decode(errors="replace"))
    watch.feed(rest.decode(errors="replace"))


def _exit_code(code: int) -> int:
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
