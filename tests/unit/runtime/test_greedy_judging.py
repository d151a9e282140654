"""A served token counts as right only where transformers chose it, too, or where no rounding could tell."""

import math

import pytest

from tests.runtime.greedy_judging import Judged, judge, tie

LOGITS = [16.0] * 4


def test_the_same_tokens_are_the_same() -> None:
    assert judge([0.0] * 4, LOGITS) == Judged(same=4, ties=0, others=())


@pytest.mark.parametrize("deficit", [0.26, 1.8, 23.4, math.inf, math.nan])
def test_one_wrong_token_is_told_by_its_position(deficit: float) -> None:
    assert judge([0.0, 0.1, deficit, 0.0], LOGITS) == Judged(same=2, ties=1, others=(2,))


def test_ties_are_not_the_same_and_what_follows_one_is_judged() -> None:
    assert judge([0.0, tie(16.0), 0.0, 5.0], LOGITS) == Judged(same=2, ties=1, others=(3,))


def test_a_tie_is_two_neighbours_in_bfloat16() -> None:
    assert (tie(16.0), tie(32.0), tie(-32.0), tie(0.0)) == (0.25, 0.5, 0.5, 0.0)
    assert (tie(31.9), tie(42.0)) == (0.25, 0.5)  # neighbours are as far apart up to the next power of two


def test_nothing_is_judged_without_its_logit() -> None:
    with pytest.raises(ValueError, match="shorter"):
        judge([0.0, 0.0], [16.0])
