"""The lines that a follower prints between two snapshots of the status, and the seconds of each step."""

from datetime import UTC, datetime

from api.resource.conditions import Condition
from api.resource.status import Phase, Step, WorkspaceStatus
from deploy.local.demo.follow import StatusSnapshot, changes, is_over, is_ready, step_times

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = WorkspaceStatus()


def at_step(step: Step, message: str = "") -> WorkspaceStatus:
    return WorkspaceStatus(phase=Phase.PROVISIONING, step=step, message=message)


def with_condition(status: str) -> WorkspaceStatus:
    condition = Condition(type="NodesReady", status=status, reason="NodesReady", message="", last_transition_time=NOW)
    return WorkspaceStatus(conditions=[condition])


def test_new_step_prints_its_message() -> None:
    assert changes(EMPTY, at_step(Step.AWAIT_NODES, "0 of 1 nodes joined")) == ["AwaitNodes      0 of 1 nodes joined"]


def test_unchanged_status_prints_nothing() -> None:
    status = at_step(Step.AWAIT_NODES, "0 of 1 nodes joined")
    assert changes(status, status) == changes(EMPTY, EMPTY) == []


def test_condition_is_printed_when_it_becomes_true() -> None:
    assert changes(with_condition("False"), with_condition("True")) == ["                NodesReady is True"]
    assert changes(with_condition("True"), with_condition("True")) == []
    assert changes(EMPTY, with_condition("False")) == []


def test_step_lasts_until_a_snapshot_shows_another() -> None:
    ready = WorkspaceStatus(phase=Phase.READY, step=Step.VERIFY)
    snapshots = [
        StatusSnapshot(0.0, EMPTY),
        StatusSnapshot(1.0, at_step(Step.PREFLIGHT)),
        StatusSnapshot(2.0, at_step(Step.AWAIT_NODES)),
        StatusSnapshot(5.0, at_step(Step.AWAIT_NODES)),
        StatusSnapshot(9.0, at_step(Step.VERIFY)),
        StatusSnapshot(10.0, ready),
    ]
    assert step_times(snapshots) == [("Preflight", 1.0), ("AwaitNodes", 7.0), ("Verify", 1.0)]


def test_ready_and_failed_differ() -> None:
    assert is_ready(WorkspaceStatus(phase=Phase.READY)) and not is_over(WorkspaceStatus(phase=Phase.READY))
    assert is_over(WorkspaceStatus(phase=Phase.FAILED)) and not is_ready(WorkspaceStatus(phase=Phase.FAILED))
