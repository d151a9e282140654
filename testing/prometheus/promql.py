"""Which series a PromQL expression reads, and by which labels. Its syntax is promtool's affair: this reads names only,
of expressions without comments and without selectors that lack a name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_VALUES: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGES: Final = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_GROUPINGS: Final = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
_SELECTORS: Final = re.compile(r"\b([A-Za-z_][\w:]*)\b(?!\s*\()\s*(?:\{([^{}]*)\})?")
_MATCHERS: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')
_WORDS: Final = {"and", "or", "unless", "bool"}


@dataclass(frozen=True)
class Selector:
    """A metric's name with the labels that are compared."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> Iterator[Selector]:
    """Yields what an expression reads."""
    names_only = _GROUPINGS.sub("", _RANGES.sub("", _VALUES.sub('""', expression)))
    for metric, matchers in _SELECTORS.findall(names_only):
        if metric not in _WORDS:
            yield Selector(metric, frozenset(name for name, _, _ in _MATCHERS.findall(matchers)))


def grouped_by(expression: str) -> set[str]:
    """The labels that an expression groups or joins by; empty for one that keeps all."""
    found = _GROUPINGS.findall(_VALUES.sub('""', expression))
    return {label.strip() for labels in found for label in labels.split(",")}


def compared(expression: str, label: str) -> list[tuple[str, str]]:
    """The operators and values that a label is compared by."""
    return [(how, value[1:-1]) for name, how, value in _MATCHERS.findall(expression) if name == label]
