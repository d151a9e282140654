"""What is told about a Workspace between two looks, and the time under each step."""

from datetime import UTC, datetime

from api.resource.conditions import Condition
from api.resource.status import Phase, Step, WorkspaceStatus
from deploy.local.demo.follow import Look, is_over, is_ready, news, step_times

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = WorkspaceStatus()


def at_step(step: Step, message: str = "") -> WorkspaceStatus:
    return WorkspaceStatus(phase=Phase.PROVISIONING, step=step, message=message)


def with_condition(status: str) -> WorkspaceStatus:
    condition = Condition(type="NodesReady", status=status, reason="NodesReady", message="", last_transition_time=NOW)
    return WorkspaceStatus(conditions=[condition])


def test_a_new_step_is_told_with_its_message() -> None:
    assert news(EMPTY, at_step(Step.AWAIT_NODES, "0 of 1 nodes joined")) == ["AwaitNodes      0 of 1 nodes joined"]


def test_nothing_is_told_twice() -> None:
    status = at_step(Step.AWAIT_NODES, "0 of 1 nodes joined")
    assert news(status, status) == news(EMPTY, EMPTY) == []


def test_a_condition_is_told_when_it_becomes_true() -> None:
    assert news(with_condition("False"), with_condition("True")) == ["                NodesReady is True"]
    assert news(with_condition("True"), with_condition("True")) == []
    assert news(EMPTY, with_condition("False")) == []


def test_a_step_lasts_until_the_look_that_shows_another() -> None:
    ready = WorkspaceStatus(phase=Phase.READY, step=Step.VERIFY)
    looks = [
        Look(0.0, EMPTY),
        Look(1.0, at_step(Step.PREFLIGHT)),
        Look(2.0, at_step(Step.AWAIT_NODES)),
        Look(5.0, at_step(Step.AWAIT_NODES)),
        Look(9.0, at_step(Step.VERIFY)),
        Look(10.0, ready),
    ]
    assert step_times(looks) == [("Preflight", 1.0), ("AwaitNodes", 7.0), ("Verify", 1.0)]


def test_ready_and_failed_are_told_apart() -> None:
    assert is_ready(WorkspaceStatus(phase=Phase.READY)) and not is_over(WorkspaceStatus(phase=Phase.READY))
    assert is_over(WorkspaceStatus(phase=Phase.FAILED)) and not is_ready(WorkspaceStatus(phase=Phase.FAILED))
