"""Figures of the bench: lines that machines read, goals, percentiles."""

import json

import pytest

from bench.results import Result, percentile


@pytest.mark.parametrize(
    ("value", "goal", "ok"), [(0.4, 0.5, True), (0.5, 0.5, True), (0.6, 0.5, False), (9, None, None)]
)
def test_a_goal_is_an_upper_limit(value: float, goal: float | None, ok: bool | None) -> None:
    line = json.loads(Result("x", value, "s", "so", goal=goal).line())
    assert (line["name"], line["unit"], line["goal"], line["ok"]) == ("x", "s", goal, ok)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.9, 4), (1.0, 4), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], share) == value


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 0.5)
