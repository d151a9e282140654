"""Every reason has its meaning, cause and fix, and is a word that Kubernetes accepts."""

import re

import pytest

from api.reasons import REASONS, FailureClass, Reason, reason, table


@pytest.mark.parametrize("entry", REASONS.values(), ids=REASONS)
def test_a_reason_says_meaning_cause_and_fix(entry: Reason) -> None:
    assert re.fullmatch(r"[A-Za-z]+", entry.name)
    assert entry.meaning.endswith(".")
    assert entry.cause
    assert entry.fix
    assert entry.failure is not FailureClass.FAIL or entry.fix != "nothing to do"


def test_no_reason_is_in_the_table_twice() -> None:
    row = ("Twice", "It is there twice.", "a slip", "remove one", "bug")
    assert table([row])["Twice"].fix == "remove one"
    with pytest.raises(ValueError, match="'Twice' is in the table twice"):
        table([row], [row])


def test_an_unknown_reason_is_an_error_that_says_where_to_add_it() -> None:
    with pytest.raises(KeyError, match=r"api/reasons\.py"):
        reason("NoSuchReason")
    assert reason("QuotaExceeded").failure is FailureClass.FAIL
