"""Figures of two commits beside each other, and the table of budgets."""

import pytest

from bench.comparison import ratios
from bench.lives.budgets import BUDGETS, RATIO_GOALS, exceeded
from bench.results import Result


def of(name: str, value: float, at: str, n: int = 200) -> Result:
    return Result(name, value, "s", "so", n=n, at=at)


def test_every_later_commit_is_told_as_times_the_first() -> None:
    found = [of("ready_last", 200.0, "old"), of("ready_last", 100.0, "new"), of("ready_last", 50.0, "newer")]
    assert [(one.name, one.value, one.at) for one in ratios(found)] == [
        ("ready_last_ratio", 0.5, "new"),
        ("ready_last_ratio", 0.25, "newer"),
    ]


def test_rounds_count_by_their_medians() -> None:
    old = [of("ready_last", value, "old") for value in (100.0, 300.0, 200.0)]
    new = [of("ready_last", value, "new") for value in (90.0, 100.0, 1000.0)]
    assert [one.value for one in ratios([old[0], new[0], old[1], new[1], old[2], new[2]])] == [0.5]


def test_crowds_of_different_sizes_are_not_compared() -> None:
    assert list(ratios([of("ready_last", 200.0, "old", n=200), of("ready_last", 500.0, "new", n=500)])) == []


def test_nothing_is_divided_by_nothing() -> None:
    assert list(ratios([of("left_over", 0.0, "old"), of("left_over", 1.0, "new")])) == []


def test_one_commit_alone_has_no_ratios() -> None:
    assert list(ratios([of("ready_last", 200.0, "old")])) == []
    assert list(ratios([])) == []


def test_a_ratio_has_the_goal_of_its_figure() -> None:
    goals = [one.goal for one in ratios([of("ready_last", 200.0, "old"), of("ready_last", 100.0, "new")])]
    assert goals == [RATIO_GOALS["ready_last"]]


def test_limits_lie_between_what_was_counted_and_little_more() -> None:
    for name, budget in BUDGETS.items():
        assert budget.counted <= budget.limit <= 1.35 * budget.counted + 5, name


def test_what_is_over_its_limit_is_told_with_both_numbers() -> None:
    limit = BUDGETS["life_events"].limit
    assert exceeded({"life_events": limit}) == {}
    assert exceeded({"life_events": limit + 1}) == {"life_events": f"{limit + 1:g}, at most {limit:g}"}


def test_a_figure_without_a_budget_is_refused() -> None:
    with pytest.raises(KeyError):
        exceeded({"dreams": 1})
