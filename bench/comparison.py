"""Figures of several commits beside each other: how many times the first one's the others' are, medians of rounds."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.lives.budgets import RATIO_GOALS
from bench.results import Result

Key = tuple[str, int]
"""A figure's name, and of how many Workspaces it is."""


def ratios(found: Sequence[Result]) -> Iterator[Result]:
    """Yields, for each figure that the first commit has too and that is not 0 there, the ratio of every later commit.

    `found` has the results of all rounds in the order in which they were measured; `Result.at` is the commit.
    """
    commits = list(dict.fromkeys(result.at for result in found))
    if not commits:
        return
    first = _medians(found, commits[0])
    for commit in commits[1:]:
        for (name, n), value in _medians(found, commit).items():
            base = first.get((name, n), 0.0)
            if base:
                how = f"{value:.4g} over {base:.4g} at {commits[0]}"
                yield Result(f"{name}_ratio", value / base, "ratio", how, RATIO_GOALS.get(name), n, at=commit)


def _medians(found: Sequence[Result], commit: str) -> Mapping[Key, float]:
    values: dict[Key, list[float]] = {}
    for result in found:
        if result.at == commit:
            values.setdefault((result.name, result.n), []).append(result.value)
    return {key: median(each) for key, each in values.items()}
