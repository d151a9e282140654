"""The graph of steps: order, side by side, what a failure and an interrupt leave."""

import signal
import threading
from collections.abc import Sequence

import pytest

from deploy.local.layout import Report
from deploy.local.stack.runner import Step, StepFailed, order_of, run_steps
from testing.deadlines import PATIENCE_S


class Recorder:
    """A display that remembers events in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, step: Step) -> None:
        self.events.append(("started", step.name))

    def reported(self, step: Step, text: str) -> None:
        self.events.append((text, step.name))

    def finished(self, step: Step, seconds: float) -> None:
        self.events.append(("finished", step.name))

    def failed(self, step: Step, seconds: float, error: BaseException) -> None:
        self.events.append(("failed", step.name))

    def stopping(self, running: Sequence[Step]) -> None:
        self.events += [("stopping", step.name) for step in running]

    def stopped(self, step: Step) -> None:
        self.events.append(("stopped", step.name))


def nothing(report: Report) -> None:
    return None


def broken(report: Report) -> None:
    raise RuntimeError("no such luck")


def never_asked_to_stop() -> None:
    raise AssertionError("nothing failed, so nothing has to be stopped")


def test_a_step_starts_only_when_all_it_needs_is_done() -> None:
    display = Recorder()
    steps = [Step("c", nothing, ("a", "b")), Step("a", nothing), Step("b", nothing, ("a",))]
    took = run_steps(steps, display, stop_commands=never_asked_to_stop)
    assert [name for event, name in display.events if event == "started"] == ["a", "b", "c"]
    assert set(took) == {"a", "b", "c"}


def test_independent_steps_run_concurrently() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE_S)

    def meet(report: Report) -> None:
        meeting.wait()

    run_steps([Step("a", meet), Step("b", meet)], Recorder(), stop_commands=never_asked_to_stop)


def test_progress_of_a_step_reaches_the_display() -> None:
    display = Recorder()
    run_steps([Step("a", lambda report: report("unpacking"))], display, stop_commands=never_asked_to_stop)
    assert ("unpacking", "a") in display.events


def test_a_failure_stops_what_runs_and_starts_nothing_more() -> None:
    display = Recorder()
    asked = threading.Event()

    def until_stopped(report: Report) -> None:
        assert asked.wait(PATIENCE_S)
        raise RuntimeError("ended by a signal")

    steps = [Step("slow", until_stopped), Step("bad", broken), Step("after", nothing, ("bad",))]
    with pytest.raises(StepFailed, match="bad: no such luck") as failure:
        run_steps(steps, display, stop_commands=asked.set)
    assert failure.value.step.name == "bad"
    assert display.events[-2:] == [("stopping", "slow"), ("stopped", "slow")]
    assert ("started", "after") not in display.events


def test_an_interrupt_stops_what_runs_and_is_passed_on() -> None:
    display = Recorder()
    asked = threading.Event()

    def interrupted(report: Report) -> None:
        # As a terminal's Ctrl-C: unlike _thread.interrupt_main it wakes a main thread that waits.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert asked.wait(PATIENCE_S)

    with pytest.raises(KeyboardInterrupt):
        run_steps([Step("a", interrupted), Step("b", nothing, ("a",))], display, stop_commands=asked.set)
    assert ("finished", "a") in display.events
    assert ("started", "b") not in display.events


def test_a_step_that_ignores_the_stop_is_abandoned_and_named() -> None:
    display = Recorder()
    over = threading.Event()

    def deaf(report: Report) -> None:
        over.wait(3600)

    with pytest.raises(StepFailed):
        run_steps([Step("deaf", deaf, patience_s=0.2), Step("bad", broken)], display, stop_commands=lambda: None)
    over.set()
    assert ("stopped", "deaf") in display.events


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        pytest.param([Step("a", nothing), Step("a", nothing)], "'a' appears 2 times", id="twice"),
        pytest.param([Step("a", nothing, ("z",))], "'a' needs 'z', which is not a step", id="unknown need"),
        pytest.param([Step("a", nothing, ("b",)), Step("b", nothing, ("a",))], "in a cycle: (a, b|b, a)$", id="circle"),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused(steps: list[Step], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        order_of(steps)


def test_what_can_start_together_keeps_the_order_given() -> None:
    steps = [Step("c", nothing, ("a",)), Step("b", nothing), Step("a", nothing)]
    assert order_of(steps).get_ready() == ("b", "a")


def test_steps_that_wait_for_a_cycle_are_not_named() -> None:
    steps = [Step("a", nothing, ("b",)), Step("b", nothing, ("a",)), Step("after", nothing, ("a",))]
    with pytest.raises(ValueError, match=r"in a cycle: (a, b|b, a)$"):
        order_of(steps)
