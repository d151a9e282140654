"""What served last: when it is kept, when it is gone back to, and when what failed is tried again."""

import pytest

from tests.builders import a_key, a_plan
from workflows.last_good import FailedEdit, Good, name_of, to_keep
from workflows.passes import remember_older
from workflows.restoring import can_go_back
from workflows.resync import tries_again
from workflows.state import WorkspaceState

PLAN = a_plan(a_key(), digest="good", generation=2)
GOOD = Good(plan=PLAN)
FAILED = FailedEdit(generation=3, digest="bad", reason="VerifyFailed", message="404")


@pytest.mark.parametrize(
    ("good", "kept", "applied", "expected"),
    [
        (None, "", "bad", ("", "")),
        (GOOD, "", "bad", ("good", "")),
        (GOOD, "older", "bad", ("good", "older")),
        (GOOD, "good", "bad", ("", "")),
        (GOOD, "", "good", ("", "")),
        (Good(plan=PLAN.model_copy(update={"kind": "tuning"})), "", "bad", ("", "")),
    ],
)
def test_what_served_is_kept_once_and_not_for_itself(
    good: Good | None, kept: str, applied: str, expected: tuple[str, str]
) -> None:
    assert to_keep(good, kept, applied) == expected


@pytest.mark.parametrize(
    ("attempt", "kind", "expected"), [("bad", "preset", True), ("", "preset", True), ("good", "preset", False)]
)
def test_what_failed_itself_is_no_way_back(attempt: str, kind: str, expected: bool) -> None:
    state = WorkspaceState(key=a_key())
    assert not can_go_back(state, "ServingTimeout")
    state.spec.plan, state.spec.good, state.status.attempt = PLAN, GOOD, attempt
    assert can_go_back(state, "ServingTimeout") is expected
    state.spec.plan = PLAN.model_copy(update={"kind": "tuning"})
    assert not can_go_back(state, "ServingTimeout")


@pytest.mark.parametrize(
    ("refused", "wanted", "expected"),
    [(False, "bad", False), (False, "newer", True), (False, "", False), (True, "bad", True), (True, "", False)],
)
def test_what_failed_is_tried_again_if_it_has_changed_or_costs_nothing(
    refused: bool, wanted: str, expected: bool
) -> None:
    assert tries_again(FAILED.model_copy(update={"refused": refused}), wanted) is expected


def test_the_same_generation_with_another_config_map_is_told_apart() -> None:
    assert name_of(GOOD, FAILED) == "generation 2"
    assert name_of(GOOD, FAILED.model_copy(update={"generation": 2})) == "generation 2 as it was before"


@pytest.mark.parametrize(
    ("settled", "reason", "remembered"),
    [("ready", "workspaceSucceeded", True), ("ready", "InvalidSpec", False), ("failed", "QuotaExceeded", False)],
)
def test_the_state_of_an_older_release_knows_what_serves_if_it_can(settled: str, reason: str, remembered: bool) -> None:
    written = {"key": a_key(), "spec": {"plan": PLAN}, "status": {"settled": settled, "reason": reason}}
    state = WorkspaceState.model_validate(written)
    remember_older(state)
    assert (state.spec.good is not None) is remembered
