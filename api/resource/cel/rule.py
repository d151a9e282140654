"""What a rule of the CRD in CEL consists of, and how the API server is told that an update may keep what was wrong
before. Which rules there are is in `states.py` and `updates.py`.

Needs Kubernetes 1.30, which does not judge values that an update leaves alone and knows `optionalOldSelf`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

NONE: Final = "''"


class Kind(StrEnum):
    """What an update of an object that breaks the rule already may do: it is never refused for what it leaves alone."""

    NEW = "new"
    """Anything: the rule is about what never changes."""
    STATE = "state"
    """Anything but break it anew: the rule itself looks at the object before."""
    VALUE = "value"
    """Leave the value where `at` points as it is: then the API server does not ask."""
    UPDATE = "update"
    """The rule is about updates only, and holds for one that leaves alone what it compares."""


@dataclass(frozen=True)
class CelRule:
    """One rule at one place of the schema; `holds` and `says` are CEL, `id` is a row of api/validation/rules.yaml."""

    id: str
    at: str
    """Path of the object or field that is `self`; empty for the whole Workspace."""
    holds: str
    says: str
    """An expression that makes the message."""
    field: str = ""
    """Path below `at` that the message is about."""
    kind: Kind = Kind.STATE

    def wire(self) -> dict[str, Any]:
        """The rule as the CRD has it; `message` is what a server says that fails to make the other."""
        rule: dict[str, Any] = {"rule": _SPARED[self.kind](self.holds)}
        rule |= {"messageExpression": self.says, "message": f"refused by rule {self.id} of docs/admission.md"}
        rule |= {"fieldPath": f".{self.field}"} if self.field else {}
        return rule | ({"optionalOldSelf": True} if self.kind in (Kind.NEW, Kind.STATE) else {})


def _or_was_so_before(holds: str) -> str:
    """An update may keep what the stored object breaks already."""
    before = holds.replace("self.", "oldSelf.value().")
    return f"({holds}) || (oldSelf.hasValue() && !({before}))"


_SPARED: Final[Mapping[Kind, Callable[[str], str]]] = {
    Kind.NEW: lambda holds: f"oldSelf.hasValue() || ({holds})",
    Kind.STATE: _or_was_so_before,
    Kind.VALUE: str,
    Kind.UPDATE: str,
}


def text(words: str) -> str:
    """A message that is always the same."""
    return f'"{words}"'


def given(path: str, default: str, one: str = "self") -> str:
    """The value at a path, or the default where it or a part of the path is missing.

    Spelled out because the API server's estimate of costs takes the value of an optional for a text without end.
    """
    names = path.split(".")
    steps = [".".join((one, *names[: length + 1])) for length in range(len(names))]
    return f"({' && '.join(f'has({step})' for step in steps)} ? {steps[-1]} : {default})"


def same(path: str, default: str) -> str:
    """That a value is equal before and after; a missing one equals the default."""
    return f"{given(path, default)} == {given(path, default, 'oldSelf')}"
