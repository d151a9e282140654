"""Reads a JSON list element by element, so that a list of any length takes the memory of one element.

Does not use ijson, which keeps a path for each open level: 40 KB of opening brackets take 970 MB (measured with 3.6.0).
ijson also rejects NaN and integers of more than 64 bits, which json, and so most writers of such files, accept.
"""

import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final

READ: Final = 2**18
ROW_MAX: Final = 2**23
"""Characters of one row in csv and JSON, and bytes of one in files of columns. It is more than any model reads at once,
some two million tokens; a longer row means that the file has another format."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def elements_of(text: IO[str], begun: str) -> Iterator[tuple[Any, int]]:
    """Yields the elements after the opening bracket, with the characters of each; `begun` is text already read. Raises
    ValueError if malformed."""
    buffer, at, decoder = begun, 0, json.JSONDecoder()
    first = True
    while True:
        at = _after_space(buffer, at)
        if first and buffer.startswith("]", at):
            return
        found = _element(decoder, buffer, at)
        if found is None:
            if len(buffer) - at > ROW_MAX:
                raise ValueError(f"an element that does not end within {ROW_MAX} characters")
            more = text.read(max(READ, len(buffer) - at))
            if not more:
                raise ValueError("the list ends early, or has an error here")
            buffer, at = buffer[at:] + more, 0
            continue
        value, end = found
        yield value, end - at
        first = False
        if buffer[end] == "]":
            return
        at = end + 1


def _element(decoder: json.JSONDecoder, buffer: str, at: int) -> tuple[Any, int] | None:
    """Returns an element and the index of the comma or bracket after it; None while that has not been read."""
    try:
        value, end = decoder.raw_decode(buffer, at)
    except ValueError:
        return None
    end = _after_space(buffer, end)
    if end == len(buffer):
        return None
    if buffer[end] not in ",]":
        raise ValueError(f"{buffer[end]!r} where a comma was expected")
    return value, end


def _after_space(buffer: str, at: int) -> int:
    found = _SPACE.match(buffer, at)
    return found.end() if found else at
