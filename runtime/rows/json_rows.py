"""Reads rows of JSON: an object a line, a list of objects, or objects one after the other over any number of lines.

A list of any length takes the memory of one element. Does not use ijson, which keeps a path for each open level: 40 KB
of opening brackets take 970 MB (measured with 3.6.0). ijson also rejects NaN and integers of more than 64 bits, which
json, and so most writers of such files, accept.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from api.pods.training_values import DECODER

READ: Final = 2**18
ROW_MAX: Final = 2**23
"""Characters of one row in csv and JSON, and bytes of one in files of columns. It is more than any model reads at once,
some two million tokens; a longer row means that the file has another format."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_LITERALS: Final = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_LONGEST: Final = len("-Infinity")
"""Characters at the end of what was read that may be the beginning of a literal, or of an escape in a text."""
_REMEDIES: Final = {
    "'": "quotes are double ones in JSON",
    "}": "leave out the comma before it, or add the value that is missing",
    "]": "leave out the comma before it",
    **dict.fromkeys("TFN", "write true, false and null"),
    "/": "JSON has no comments",
    "#": "JSON has no comments",
    "\ufeff": "the mark that some programs begin files with: leave it out where files are joined",
}
"""What to do where this character is the first that cannot be."""


def rows_of(file: Path) -> Iterator[tuple[Any, int]]:
    """Yields the values of a file, each with its characters; whether they are objects is left to the caller. Raises
    ValueError, RecursionError."""
    with file.open(encoding="utf-8-sig") as text:
        line = _next_line(text)
        if line.lstrip().startswith("["):
            yield from _elements(text, line.lstrip()[1:])
        elif _is_whole(line):
            yield from _lines(text, line)
        elif line:
            yield from _objects(text, line)


def _next_line(text: IO[str]) -> str:
    """The next line that is not empty, or its beginning; empty at the end."""
    while (line := text.readline(ROW_MAX)) and not line.strip():
        pass
    return line


def _is_whole(line: str) -> bool:
    try:
        DECODER.decode(line)
    except ValueError:
        return False
    return True


def _lines(text: IO[str], first: str) -> Iterator[tuple[Any, int]]:
    line = first
    while line:
        if len(line) == ROW_MAX:
            raise ValueError(f"a line of more than {ROW_MAX} characters")
        try:
            yield DECODER.decode(line), len(line)
        except ValueError as error:
            raise ValueError(_mistake(error, 0)) from None
        line = _next_line(text)


def _elements(text: IO[str], begun: str) -> Iterator[tuple[Any, int]]:
    """The elements after a list's opening bracket; `begun` is text already read."""
    reading, character = _Values(text, begun, "the list"), ","
    if reading.next_character() == "]":
        reading.at, character = reading.at + 1, "]"
    while character == ",":
        value = reading.value()
        character = reading.next_character()
        if character not in (",", "]"):
            raise ValueError(
                f"{character!r} where a comma was expected" if character else "the list ends early: its ] is missing"
            )
        reading.at += 1
        yield value
    if rest := reading.next_character():
        raise ValueError(f"{rest!r} after the end of the list: give one list, or one object a line")


def _objects(text: IO[str], begun: str) -> Iterator[tuple[Any, int]]:
    reading = _Values(text, begun, "an object")
    while character := reading.next_character():
        if character == ",":
            raise ValueError("',' between objects: leave the commas out, or put brackets around all: [...]")
        yield reading.value()


def _stands(error: ValueError, *, before: int) -> bool:
    """Whether no more text can mend it: it is before that place, and no text that has only not ended yet."""
    if not isinstance(error, json.JSONDecodeError):
        return True
    rest = error.doc[error.pos : error.pos + _LONGEST + 1].rstrip()
    unfinished = error.msg.startswith("Unterminated") or any(literal.startswith(rest) for literal in _LITERALS)
    return error.pos < before and not unfinished


def _mistake(error: ValueError, begins: int) -> str:
    """The sentence about what is wrong; `begins` is where its value does."""
    if not isinstance(error, json.JSONDecodeError):  # Python's own limit
        return "it has a whole number of more digits than are read: write it in quotes"
    character = error.doc[error.pos : error.pos + 1]
    what = f"it is no JSON from its character {error.pos - begins + 1} on, {character!r} ({error.msg.strip(': ')})"
    remedy = _REMEDIES.get(character)
    return f"{what}: {remedy}" if remedy else what


class _Values:
    """Values one after the other; never more than ROW_MAX characters, and what is read ahead, are in memory."""

    def __init__(self, text: IO[str], begun: str, what: str) -> None:
        """`begun` is text already read, `what` names the whole in errors."""
        self._text, self._buffer, self._what, self.at = text, begun, what, 0

    def value(self) -> tuple[Any, int]:
        """The value that comes next, with its characters."""
        self.next_character()
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self.at)
            except ValueError as error:
                read = len(self._buffer)
                if _stands(error, before=read - _LONGEST):
                    raise ValueError(_mistake(error, self.at)) from None
                if read - self.at > ROW_MAX:
                    raise ValueError(f"an element that does not end within {ROW_MAX} characters") from None
                begins = self.at
                if not self._more():
                    stands = _stands(error, before=read)
                    words = _mistake(error, begins) if stands else f"{self._what} ends early: a part of it is missing"
                    raise ValueError(words) from None
                continue
            # A number at the end of what was read may go on.
            if end == len(self._buffer) and self._more():
                continue
            taken, self.at = end - self.at, end
            return value, taken

    def next_character(self) -> str:
        """The next character that is no space, which is not taken; empty at the end."""
        while True:
            found = _SPACE.match(self._buffer, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self._buffer):
                return self._buffer[self.at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Reads on, as much as there already is, so that a long value is not tried anew for each small piece."""
        more = self._text.read(max(READ, len(self._buffer) - self.at))
        self._buffer, self.at = self._buffer[self.at :] + more, 0
        return bool(more)
