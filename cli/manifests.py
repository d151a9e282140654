"""Manifests in files as kubectl takes them: several documents, Lists, standard input. Says where each thing stands.

Reads with the bounds of `api.configs.yaml_reading`, so that no file can exhaust the reader; what a document means is
the caller's business.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from api.configs.problem import ConfigProblem
from api.configs.yaml_reading import SIZE_MAX, read_yaml
from api.labels import GROUP

FILE_MAX: Final = 8 * 1024 * 1024
"""Bytes of one file."""
STDIN: Final = "-"
Step = str | int

_SEPARATOR = re.compile(r"^(?:---(?=[ \t\r\n]|$)|\.\.\.[ \t]*\r?$)", re.MULTILINE)
_KIND = re.compile(r"^[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?([A-Za-z]+)", re.MULTILINE)
_OURS = re.compile(rf"^[\"']?apiVersion[\"']?[ \t]*:[ \t]*[\"']?{re.escape(GROUP)}/", re.MULTILINE)


class ManifestUnreadable(OSError):
    """The file itself cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Manifest:
    """One document of a file, or one item of a List in it. `number` counts documents from 1, `value` is None where
    `problem` says why it could not be read or where its kind was not wanted."""

    file: str
    number: int
    value: Any = None
    kind: str = ""
    problem: str = ""
    lines: Mapping[tuple[Step, ...], int] = field(default_factory=dict)
    inside: tuple[Step, ...] = ()

    @property
    def line(self) -> int | None:
        """The line where it begins."""
        starts = [line for path, line in self.lines.items() if path[: len(self.inside)] == self.inside]
        return min(starts, default=None)

    def line_of(self, path: str) -> int | None:
        """The line of a path such as `inference.adapters[0].source`, or of the nearest part of it that is there."""
        steps = (*self.inside, *_steps(path))
        while len(steps) > len(self.inside):
            if steps in self.lines:
                return self.lines[steps]
            steps = steps[:-1]
        return self.line


def read_manifests(file: str, *, wanted: Sequence[str]) -> list[Manifest]:
    """Every document of a file (`-` for standard input). Raises ManifestUnreadable when there is no such text.

    A document that says in its first column that it is of another group and of a kind that is not wanted is not parsed;
    nor is a ConfigMap larger than any that a Workspace may name.
    """
    found: list[Manifest] = []
    for number, (line, text) in enumerate(_documents(_text_of(file)), 1):
        found.extend(_manifests(file, number, line, text, wanted))
    return found


def _manifests(file: str, number: int, line: int, text: str, wanted: Sequence[str]) -> Iterator[Manifest]:
    declared = _KIND.search(text)
    kind = declared[1] if declared else ""
    if (
        kind
        and not _OURS.search(text)
        and (_is_unwanted(kind, wanted) or (kind == "ConfigMap" and len(text) > SIZE_MAX))
    ):
        yield Manifest(file, number, kind=kind)
        return
    try:
        # The lines before it are kept as empty ones, so that every line that is reported is a line of the file.
        document = read_yaml("\n" * line + text)
    except ConfigProblem as error:
        yield Manifest(file, number, kind=kind, problem=str(error))
        return
    if not _is_list(document.value):
        yield Manifest(file, number, document.value, _kind_of(document.value), lines=document.lines)
        return
    for index, item in enumerate(document.value["items"]):
        yield Manifest(file, number, item, _kind_of(item), lines=document.lines, inside=("items", index))


def _is_unwanted(kind: str, wanted: Sequence[str]) -> bool:
    return kind not in wanted and not kind.endswith("List")


def _text_of(file: str) -> str:
    try:
        data = sys.stdin.buffer.read(FILE_MAX + 1) if file == STDIN else _read(Path(file))
    except OSError as error:
        raise ManifestUnreadable(f"{file}: {error.strerror or error}") from None
    if len(data) > FILE_MAX:
        raise ManifestUnreadable(f"{file}: has more than {FILE_MAX} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestUnreadable(f"{file}: is not UTF-8 text (byte {error.start})") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(FILE_MAX + 1)


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """Each document that is not empty, with the number of lines before it. A `---` in the first column always parts
    documents, in a block of text too."""
    start, line = 0, 0
    for mark in (*_SEPARATOR.finditer(text), None):
        end = mark.start() if mark else len(text)
        if any(row.strip() and not row.lstrip().startswith(("#", "%")) for row in text[start:end].splitlines()):
            yield line, text[start:end]
        line += text.count("\n", start, mark.end() if mark else len(text))
        start = mark.end() if mark else len(text)


def _is_list(value: Any) -> bool:
    return isinstance(value, dict) and _kind_of(value).endswith("List") and isinstance(value.get("items"), list)


def _kind_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""


def _steps(path: str) -> tuple[Step, ...]:
    parts = re.findall(r"([^.\[\]]+)|\[([^\[\]]*)\]", path)
    return tuple(int(index) if index.isdecimal() else key or index for key, index in parts)
