"""Halving keeps the rows between two moves of the weights."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.tune.train.batches import Batch


@given(st.integers(1, 1024), st.integers(1, 64))
def test_half_as_many_at_once_are_as_many_in_all(size: int, accumulation: int) -> None:
    smaller = Batch(size, accumulation).halved()
    if size == 1:
        assert smaller is None
        return
    assert smaller is not None
    assert smaller.size <= size // 2
    assert smaller.size * smaller.accumulation == size * accumulation
