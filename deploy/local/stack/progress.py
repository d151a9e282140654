"""Shows a run of steps: a table that redraws itself on a terminal, one line per event anywhere else.

Both show the current action and its duration, and for a failure the step, its reason and its log. `graph.py` defines
the steps, `runner.py` their order.
"""

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deploy.local.host.commands import tail
from deploy.local.stack.runner import Display, Step

REFRESH_PER_SECOND = 8
# A build takes minutes without an event: whoever reads the lines shall see that it goes on.
SILENCE_S = 60.0
NAME_WIDTH = 22


class Progress(Display):
    """A display that is entered for the duration of the run."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def progress_for(steps: Sequence[Step], stream: TextIO = sys.stdout) -> Progress:
    """Returns the display for the stream: live on a terminal, lines otherwise."""
    if stream.isatty():
        return LiveProgress(steps, Console(file=stream))
    return PlainProgress(stream)


class PlainProgress(Progress):
    """One line per event: seconds since the run began, event, step, current action. A step without an event for
    `silence_s` gets a line that it is still running."""

    def __init__(self, stream: TextIO, silence_s: float = SILENCE_S) -> None:
        self._stream = stream
        self._silence_s = silence_s
        self._began = time.monotonic()
        self._lock = threading.Lock()
        # By name: the text and the moment of its last line.
        self._running: dict[str, tuple[str, float]] = {}
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._report_silence, daemon=True)

    def __enter__(self) -> "PlainProgress":
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    def started(self, step: Step) -> None:
        self._line("start", step)

    def reported(self, step: Step, text: str) -> None:
        self._line("...", step, text)

    def finished(self, step: Step, seconds: float) -> None:
        self._line("done", step, f"in {seconds:.1f} s", ended=True)

    def failed(self, step: Step, seconds: float, error: BaseException) -> None:
        self._line("FAILED", step, f"after {seconds:.1f} s", ended=True)
        with self._lock:
            print(explain(step, error), file=self._stream, flush=True)

    def stopping(self, running: Sequence[Step]) -> None:
        for step in running:
            self._line("stopping", step, "waiting for its current operation")

    def stopped(self, step: Step) -> None:
        self._line("stopped", step, ended=True)

    def _line(self, event: str, step: Step, text: str = "", *, ended: bool = False) -> None:
        with self._lock:
            self._print_event(event, step.name, text)
            self._running[step.name] = text, time.monotonic()
            if ended:
                del self._running[step.name]

    def _report_silence(self) -> None:
        while not self._over.wait(self._silence_s / 4):
            with self._lock:
                now = time.monotonic()
                for name, (text, last) in self._running.items():
                    if now - last >= self._silence_s:
                        self._print_event("still", name, text)
                        self._running[name] = text, now

    def _print_event(self, event: str, name: str, text: str) -> None:
        elapsed = time.monotonic() - self._began
        print(f"[{elapsed:7.1f}s] {event:<9}{name:<{NAME_WIDTH}} {text}".rstrip(), file=self._stream, flush=True)


@dataclass
class _Row:
    """One step's row of the table. `state` is waiting, running, done, failed or stopped."""

    step: Step
    state: str = "waiting"
    text: str = ""
    began: float = 0.0
    seconds: float = 0.0


class LiveProgress(Progress):
    """A table of all steps in the order given, with a spinner and the duration of running ones."""

    def __init__(self, steps: Sequence[Step], console: Console) -> None:
        self._rows = {step.name: _Row(step) for step in steps}
        self._console = console
        self._began = time.monotonic()
        self._failures: list[tuple[Step, BaseException]] = []
        self._spinner = Spinner("dots")
        # Rows fold to one line each: a table taller than the terminal cannot be redrawn.
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=REFRESH_PER_SECOND)

    def __enter__(self) -> "LiveProgress":
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()
        for step, error in self._failures:
            text = Text(explain(step, error))
            self._console.print(Panel(text, title=f"{step.name} failed", title_align="left", border_style="red"))

    def started(self, step: Step) -> None:
        row = self._rows[step.name]
        row.state, row.began = "running", time.monotonic()

    def reported(self, step: Step, text: str) -> None:
        self._rows[step.name].text = text

    def finished(self, step: Step, seconds: float) -> None:
        self._end(step, "done", seconds)

    def failed(self, step: Step, seconds: float, error: BaseException) -> None:
        self._end(step, "failed", seconds)
        self._failures.append((step, error))

    def stopping(self, running: Sequence[Step]) -> None:
        for step in running:
            self.reported(step, "stopping: waiting for its current operation")

    def stopped(self, step: Step) -> None:
        row = self._rows[step.name]
        self._end(step, "stopped", time.monotonic() - row.began)

    def _end(self, step: Step, state: str, seconds: float) -> None:
        row = self._rows[step.name]
        row.state, row.seconds, row.text = state, seconds, ""

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=True)
        table.add_column(width=1)
        table.add_column(no_wrap=True, min_width=NAME_WIDTH)
        table.add_column(justify="right", no_wrap=True, min_width=8)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for row in self._rows.values():
            table.add_row(*self._cells(row))
        done = sum(row.state == "done" for row in self._rows.values())
        elapsed = time.monotonic() - self._began
        table.add_row("", Text(f"{done} of {len(self._rows)} done", "dim"), Text(f"{elapsed:.0f} s", "dim"), "")
        return table

    def _cells(self, row: _Row) -> tuple[Spinner | Text, Text, Text, Text]:
        if row.state == "running":
            doing = Text(row.text, "dim")
            return self._spinner, Text(row.step.name, "bold"), Text(f"{time.monotonic() - row.began:.0f} s"), doing
        mark, style = {
            "waiting": ("·", "dim"),
            "done": ("✓", "green"),
            "failed": ("✗", "bold red"),
            "stopped": ("-", "yellow"),
        }[row.state]
        took = "" if row.state == "waiting" else f"{row.seconds:.1f} s"
        name_style = style if row.state != "done" else ""
        return Text(mark, style), Text(row.step.name, name_style), Text(took, "dim"), Text("")


def explain(step: Step, error: BaseException) -> str:
    """Returns why a step failed, with the end of its log unless the reason names that log already."""
    reason = str(error) or type(error).__name__
    if isinstance(error, LookupError | TypeError | AttributeError | AssertionError):
        # A bug of ours, not a fault of the machine: the type says more than the text.
        reason = f"{type(error).__name__}: {reason}"
    if step.log is None or str(step.log) in reason:
        return reason
    return f"{reason}\nlog: {step.log}\n{tail(step.log)}".rstrip()
