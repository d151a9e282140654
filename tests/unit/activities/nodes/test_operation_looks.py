"""When a long-running operation is looked at: not before ARM allows it, seldom, and soon after its usual end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.nodes.aks.operations import LONGEST_WAIT_S, UsualDurations, duration_of, wait_before_look

SECONDS = st.floats(min_value=0, max_value=5000)


def looks(lasts_s: float, usual_s: float | None, least_s: float = 1.0) -> list[float]:
    """The ages at which an operation is looked at until its end is seen."""
    ages = [0.0]
    while ages[-1] < lasts_s:
        ages.append(ages[-1] + wait_before_look(ages[-1], usual_s=usual_s, least_s=least_s))
    return ages[1:]


@pytest.mark.parametrize(
    ("lasts_s", "usual_s", "expected"),
    [
        pytest.param(3, None, [2, 3.5], id="nothing to compare with"),
        pytest.param(60, None, [2, 3.5, 6.125, 10.71875, 18.7578125, 32.826171875, 57.4458, 87.4458], id="a minute"),
        pytest.param(3, 3, [3.11], id="as usual"),
        pytest.param(3.5, 3, [3.11, 4.11], id="a little longer, ARM allows a look a second"),
        pytest.param(100, 105, [30, 60, 90, 107.15], id="minutes as usual: a failure comes sooner"),
        pytest.param(130, 105, [30, 60, 90, 107.15, 133.9375], id="minutes, longer than usual"),
    ],
)
def test_an_operation_is_looked_at_seldom(lasts_s: float, usual_s: float | None, expected: list[float]) -> None:
    assert looks(lasts_s, usual_s) == pytest.approx(expected)


@given(SECONDS, st.none() | SECONDS, st.floats(min_value=0.01, max_value=600))
def test_arm_is_never_asked_sooner_than_it_allows_nor_left_alone_for_long(
    age_s: float, usual_s: float | None, least_s: float
) -> None:
    wait = wait_before_look(age_s, usual_s=usual_s, least_s=least_s)
    assert least_s <= wait <= max(least_s, LONGEST_WAIT_S)


def test_what_is_usual_is_the_median_of_the_last_by_kind() -> None:
    durations = UsualDurations()
    assert durations.of("put") is None
    for seconds in (*[900.0] * 30, *range(20)):
        durations.note("put", seconds)
    durations.note("delete", 60.0)
    assert (durations.of("put"), durations.of("delete")) == (9.5, 60.0)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ('{"startTime": "2026-11-29T08:00:00Z", "endTime": "2026-11-29T08:02:03.5Z"}', 123.5),
        ('{"startTime": "2026-11-29T08:00:00.1234567Z", "endTime": "2026-11-29T08:00:01.1234567Z"}', 1.0),
        ('{"startTime": "2026-11-29T08:00:00Z"}', None),
        ('{"startTime": "0001-01-01T00:00:00", "endTime": "2026-11-29T08:00:01Z"}', None),
        ("null", None),
        ("", None),
    ],
)
def test_how_long_an_operation_lasted_is_read_from_arms_times(answer: str, seconds: float | None) -> None:
    assert duration_of(answer) == seconds
