"""What is read from an audit log and from a history."""

from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.lives.histories import Written, written_in
from testing.api_calls import seen_in


def request(verb: str, resource: str, **more: Any) -> dict[str, Any]:
    """An event of the audit log; keys of `more` replace those that are given here."""
    event = {
        "auditID": f"{verb} {resource} {more}",
        "stage": "ResponseComplete",
        "verb": verb,
        "objectRef": {"resource": resource},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.100000Z",
    }
    return event | more


def test_requests_count_by_verb_and_resource() -> None:
    status = {"resource": "workspaces", "subresource": "status"}
    seen = seen_in(iter([request("get", "services"), request("patch", "", objectRef=status)]))
    assert seen.calls == {"get services": 1, "patch workspaces/status": 1}


def test_a_request_that_is_told_twice_counts_once() -> None:
    assert seen_in(iter([request("get", "services"), request("get", "services")])).calls.total() == 1


def test_a_watch_counts_when_it_begins() -> None:
    begun = request("watch", "pods", stage="ResponseStarted")
    ended = request("watch", "pods", stageTimestamp="2026-01-01T00:05:00.000000Z")
    seen = seen_in(iter([begun, ended]))
    assert seen.calls == {"watch pods": 1}
    assert not seen.slow


def test_leases_count_apart() -> None:
    seen = seen_in(iter([request("update", "leases"), request("get", "services")]))
    assert (seen.leases, seen.calls) == (1, {"get services": 1})


def test_refused_and_slow_requests_are_told() -> None:
    late = "2026-01-01T00:00:15.000000Z"
    seen = seen_in(iter([request("patch", "services", responseStatus={"code": 504}, stageTimestamp=late)]))
    assert (seen.refused, seen.slow) == ({"504 patch services": 1}, {"patch services": 1})


def test_activities_of_a_history_are_told_by_name() -> None:
    started = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    step = HistoryEvent(event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    step.activity_task_scheduled_event_attributes.activity_type.name = "build_plan"
    found = written_in([started, step, step])
    assert found.kinds == {"workflow_execution_started": 1, "build_plan": 2}
    assert (found.events, found.bytes) == (3, started.ByteSize() + 2 * step.ByteSize())


def test_what_was_written_before_does_not_count() -> None:
    step = HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_FIRED)
    now, before = written_in([step, step, step]), written_in([step])
    assert now.since(before) == written_in([step, step])
    assert before.plus(before) == written_in([step, step])
    assert Written().plus(now) == now
