"""Counts the parts of conversations that a chat template does not render, and says so in a sentence for each kind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from runtime.turns.marks import ASSISTANTS, Kind, Part

REMEDY: Final = "ModelConfig.chat_template takes another template"


class Losses:
    """What has been left out so far."""

    def __init__(self) -> None:
        self._parts, self._rows = Counter[Kind](), Counter[Kind]()
        self._first = dict[Kind, str]()

    @property
    def parts(self) -> Mapping[Kind, int]:
        """How many parts of each kind."""
        return MappingProxyType(self._parts)

    def count(self, where: str, lost: Sequence[Part]) -> None:
        """Adds the parts of one row; `where` says which row it is."""
        kinds = Counter(part.kind for part in lost)
        self._parts += kinds
        self._rows += Counter(kinds.keys())
        for kind in kinds:
            self._first.setdefault(kind, where)

    def words(self) -> list[str]:
        """Returns a warning for each kind, what is the assistant's first."""
        kinds = sorted(self._parts, key=lambda kind: (kind not in ASSISTANTS, list(Kind).index(kind)))
        return [self._words(kind) for kind in kinds]

    def _words(self, kind: Kind) -> str:
        rows, parts = self._rows[kind], self._parts[kind]
        how = "will not be learnt" if kind in ASSISTANTS else "will not be seen in training"
        where = f"{parts} in {rows} row{'s' if rows > 1 else ''}, the first in {self._first[kind]}"
        return f"the chat template does not render {kind.value} ({where}): they {how}; {REMEDY}"
