"""A served token counts as right only where transformers chose it, too, or where no rounding could tell."""

import math

import pytest

from tests.runtime.greedy_judging import TIE, Judged, judge


def test_the_same_tokens_are_the_same() -> None:
    assert judge([0.0, 0.0, 0.0]) == Judged(same=3, ties=0, others=())


@pytest.mark.parametrize("deficit", [0.26, 1.8, 23.4, math.inf, math.nan])
def test_one_wrong_token_is_told_by_its_position(deficit: float) -> None:
    assert judge([0.0, 0.1, deficit, 0.0]) == Judged(same=2, ties=1, others=(2,))


def test_ties_are_not_the_same_and_what_follows_one_is_judged() -> None:
    assert judge([0.0, TIE, 0.0, 5.0]) == Judged(same=2, ties=1, others=(3,))


def test_a_tie_is_two_roundings_of_a_bfloat16_below_32() -> None:
    assert TIE == 0.25
