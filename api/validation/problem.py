"""One thing that is wrong with a Workspace, and which rule says so."""

from dataclasses import dataclass, replace
from typing import Any, Final

SHOWN: Final = 80
"""Characters of a user's value that a message may hold; the path leads to the whole of it."""
MESSAGE_MAX: Final = 2000
PATH_MAX: Final = 400


@dataclass(frozen=True)
class Problem:
    """`rule` is a row of `rules.yaml`, `path` is as written in the file (empty for the whole document). `reason` is the
    status' word for it where it is another than the rule's own: `rules.reason_of`."""

    rule: str
    path: str
    message: str
    reason: str = ""

    def __str__(self) -> str:
        """`MSG: path`, the shape of KAITO's own errors."""
        return f"{self.message}: {self.path}" if self.path else self.message

    def bounded(self) -> "Problem":
        """The same, truncated to a readable length: parts of it are user input."""
        return replace(self, path=_cut(self.path, PATH_MAX), message=_cut(self.message, MESSAGE_MAX))


def shown(value: Any) -> str:
    """The value for a message, shortened. Only for values that `limits` let through: others may not be printable."""
    return _cut(repr(value), SHOWN)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
