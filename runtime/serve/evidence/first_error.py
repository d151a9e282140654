"""Finds in the output of a server's processes the error that came first. Pure: takes lines, keeps a few.

vLLM's engine is a process of its own on GPUs, with workers of its own. What it dies of it says once; then each process
above it ends with a traceback that only says that the one below is gone. What the error means is decided by
`verdicts.py`.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

LINE_MAX: Final = 4000
"""Characters of a line that are looked at."""
_KEPT: Final = 40
_MORE_LINES: Final = 4
"""Of an exception's text behind its first, as pydantic's have."""
_LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
_BEGINS: Final = "Traceback (most recent call last):"
_FATAL: Final = ("failed to start", "fatal error", "encountered an exception")
"""What vLLM writes before the traceback of what ends a process."""
_CHAINED: Final = ("During handling of the above exception", "The above exception was the direct cause")
_ECHOES: Final = (
    *(
        "See root cause above",
        "the root cause",
        "for root cause",
        "EngineDeadError",
        "Engine core initialization failed",
    ),
    *("EngineCore encountered an issue", "KeyboardInterrupt", "SystemExit", "CancelledError"),
)
"""Parts of errors that are only about another one."""
READY: Final = "Application startup complete"


@dataclass
class _Traceback:
    """One that is being read, of one process."""

    fatal: bool
    logged: bool
    chained: bool
    text: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """An exception's text. `fatal`: it ended a process; `logged`: it was written to the log, perhaps with no harm."""

    text: str
    fatal: bool
    logged: bool


class OutputWatch:
    """Is given every line; knows the first error at the end."""

    def __init__(self) -> None:
        self._found: list[Found] = []
        self._open: dict[str, _Traceback] = {}
        self._fatal: set[str] = set()
        self._chained: set[str] = set()
        self.tail: deque[str] = deque(maxlen=3)
        self.ready = False
        self.echo = ""
        """The last error that is only about another one: it names the processes that died, and how."""

    def feed(self, line: str) -> None:
        """Takes one line, without its end."""
        process, logged, body = _parts(line[:LINE_MAX].rstrip())
        if body.strip():
            self.tail.append(body.strip())
        self.ready = self.ready or READY in body
        if body.startswith(_BEGINS):
            self._close(process)
            chained = process in self._chained
            self._open[process] = _Traceback(process in self._fatal, logged, chained)
            self._chained.discard(process)
        elif process in self._open:
            self._continue(process, logged, body)
        self._note(process, body)

    def first_error(self) -> Found | None:
        """The error that came first among those that ended a process; among others the first that nobody caught; else
        the first of the log. None if there is none."""
        for process in list(self._open):
            self._close(process)
        ranked = (
            [one for one in self._found if one.fatal],
            [one for one in self._found if not one.logged],
            self._found,
        )
        return next((group[0] for group in ranked if group), None)

    def _continue(self, process: str, logged: bool, body: str) -> None:
        current = self._open[process]
        inside = body.startswith(" ") or not body
        if not current.text:
            if not inside:
                current.text.append(body)
        elif logged == current.logged and body.startswith(" ") and len(current.text) <= _MORE_LINES:
            current.text.append(body.strip())
        else:
            self._close(process)

    def _note(self, process: str, body: str) -> None:
        if any(words in body for words in _FATAL):
            self._fatal.add(process)
        if body.startswith(_CHAINED):
            self._chained.add(process)
        if any(words in body for words in _ECHOES[:5]):
            self.echo = body

    def _close(self, process: str) -> None:
        current = self._open.pop(process, None)
        if current is None or not current.text:
            return
        text = "\n".join(current.text)
        is_echo = any(words in text for words in _ECHOES)
        if not is_echo and not current.chained and len(self._found) < _KEPT:
            self._found.append(Found(text, current.fatal, current.logged))


def _parts(line: str) -> tuple[str, bool, str]:
    """Splits "(EngineCore pid=7) ERROR 11-30 00:29:31 [core:1510] text" into process, whether a logger wrote it, and
    text; a line of another form is text of no process."""
    process = ""
    if line.startswith("(") and " pid=" in line.partition(")")[0]:
        process, _, line = line[1:].partition(") ")
    level, _, rest = line.partition(" ")
    if level not in _LEVELS:
        return process, False, line
    _, found, text = rest.partition("] ")
    # Of an empty line of a text, the blank at its end is gone.
    return process, True, text if found else ""
