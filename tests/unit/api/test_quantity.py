"""Quantities: what Kubernetes takes for a number is one here, and nothing else."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.quantity import QuantityInvalid, parse_quantity


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1", 1), (2, 2), (0.5, Fraction(1, 2)), ("500m", Fraction(1, 2)), ("2000m", 2), ("1.5", Fraction(3, 2)),
        ("2Gi", 2 * 2**30), ("2G", 2 * 10**9), ("1e3", 1000), ("1E3", 1000), ("1E", 10**18), ("1k", 1000), ("+1", 1),
        ("-1", -1), (".5", Fraction(1, 2)), ("5.", 5), ("100u", Fraction(1, 10_000)), ("1Ei", 2**60),
    ],
)  # fmt: skip
def test_what_kubernetes_takes(value: Any, number: Fraction) -> None:
    assert parse_quantity(value) == number


@pytest.mark.parametrize(
    "value", ["", "one", "1 Gi", "1GB", "1K", "Gi", "1e", None, True, [], {}, "1" * 40, 10**40, "1ki"]
)
def test_what_it_refuses(value: Any) -> None:
    with pytest.raises(QuantityInvalid):
        parse_quantity(value)


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers()))
def test_nothing_else_is_raised(value: Any) -> None:
    try:
        parse_quantity(value)
    except QuantityInvalid as error:
        assert "quantity" in str(error)
