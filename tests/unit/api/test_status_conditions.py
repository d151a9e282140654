"""Conditions keep their place and their transition time; a spoiled status costs only what is spoiled."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.resource.conditions import (
    MESSAGE_MAX,
    Condition,
    ConditionStatus,
    ConditionType,
    find_condition,
    is_true,
    set_condition,
)
from api.resource.status import Phase, State, Step, WorkspaceStatus, inference_state, parse_status, tuning_state

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def nodes_ready(status: ConditionStatus, at: datetime, before: list[Condition], message: str = "m") -> list[Condition]:
    return set_condition(
        before,
        ConditionType.NODES_READY,
        status=status,
        reason="NodesReady",
        message=message,
        now=at,
        observed_generation=2,
    )


def test_a_first_condition_is_appended_with_the_moment_it_was_set() -> None:
    [condition] = nodes_ready("False", NOON, [])
    assert condition.wire() == {
        "type": "NodesReady",
        "status": "False",
        "reason": "NodesReady",
        "message": "m",
        "lastTransitionTime": "2026-01-01T12:00:00Z",
        "observedGeneration": 2,
    }


def test_the_transition_time_stays_while_the_status_stays() -> None:
    [condition] = nodes_ready("False", LATER, nodes_ready("False", NOON, []), message="other words")
    assert (condition.last_transition_time, condition.message) == (NOON, "other words")


def test_the_transition_time_moves_with_the_status() -> None:
    [condition] = nodes_ready("True", LATER, nodes_ready("False", NOON, []))
    assert condition.last_transition_time == LATER


def test_the_order_of_conditions_is_kept_and_the_given_list_is_not_touched() -> None:
    first = nodes_ready("False", NOON, [])
    second = set_condition(first, "JobStarted", status="True", reason="R", message="", now=NOON, observed_generation=1)
    third = nodes_ready("True", LATER, second)
    assert [condition.type for condition in third] == ["NodesReady", "JobStarted"]
    assert (first[0].status, len(first)) == ("False", 1)


def test_a_message_longer_than_kubernetes_takes_is_cut() -> None:
    [condition] = nodes_ready("False", NOON, [], message="x" * (MESSAGE_MAX + 10))
    assert len(condition.message) == MESSAGE_MAX
    assert condition.message.endswith("…")


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    half_past = datetime(2026, 1, 1, 14, 30, 1, 999, tzinfo=timezone(timedelta(hours=2)))
    assert WorkspaceStatus(since=half_past).wire() == {"since": "2026-01-01T12:30:01Z"}


def test_conditions_are_found_by_type() -> None:
    conditions = nodes_ready("True", NOON, [])
    assert is_true(conditions, "NodesReady")
    assert not is_true(conditions, "JobStarted")
    assert find_condition(conditions, "JobStarted") is None


def test_a_status_is_written_with_the_fields_that_were_set() -> None:
    status = WorkspaceStatus(phase=Phase.PROVISIONING, step=Step.AWAIT_NODES, state=State.PENDING, target_node_count=2)
    assert status.wire() == {
        "phase": "Provisioning", "step": "AwaitNodes", "state": "Pending", "targetNodeCount": 2,
    }  # fmt: skip


def test_a_status_of_kaito_is_read_and_kept() -> None:
    written = {
        "workerNodes": ["n1"],
        "state": "Ready",
        "targetNodeCount": 1,
        "conditions": [condition.wire() for condition in nodes_ready("True", NOON, [])],
        "performance": {"metrics": {"peakTokensPerMinute": {"description": "d", "value": "9", "unit": "tokens/min"}}},
        "somethingNewer": {"kept": True},
    }
    assert parse_status(written).wire() == written


@pytest.mark.parametrize("spoiled", [{"phase": "Dancing"}, {"targetNodeCount": "many"}, {"since": "soon"}, {"plan": 3}])
def test_a_field_that_cannot_be_read_costs_that_field_only(spoiled: dict[str, object]) -> None:
    assert parse_status({"state": "Ready", **spoiled}).wire() == {"state": "Ready"}


def test_a_condition_that_cannot_be_read_costs_that_condition_only() -> None:
    good = nodes_ready("True", NOON, [])[0].wire()
    assert parse_status({"conditions": [{"type": "NodesReady"}, good, "text"]}).wire() == {"conditions": [good]}


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_status_is_an_empty_status(nothing: dict[str, object] | None) -> None:
    assert parse_status(nothing) == WorkspaceStatus()
    assert parse_status(nothing).wire() == {}


@pytest.mark.parametrize(
    ("ready", "previous", "state"),
    [
        (True, None, State.READY),
        (False, None, State.PENDING),
        (False, State.PENDING, State.PENDING),
        (False, State.READY, State.NOT_READY),
        (False, State.NOT_READY, State.NOT_READY),
        (True, State.NOT_READY, State.READY),
    ],
)
def test_a_serving_workspace_that_was_ready_is_never_pending_again(
    ready: bool, previous: State | None, state: State
) -> None:
    assert inference_state(ready=ready, previous=previous) == state


@pytest.mark.parametrize(
    ("complete", "failed", "active", "state"),
    [
        (False, False, False, State.PENDING),
        (False, False, True, State.RUNNING),
        (True, False, False, State.SUCCEEDED),
        (False, True, False, State.FAILED),
        (True, True, False, State.SUCCEEDED),
    ],
)
def test_a_tuning_state_follows_the_jobs_conditions(complete: bool, failed: bool, active: bool, state: State) -> None:
    assert tuning_state(complete=complete, failed=failed, active=active) == state
