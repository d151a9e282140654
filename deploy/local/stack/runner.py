"""Runs named steps concurrently, each as soon as its dependencies are done.

A step is data: a name, its dependencies, an action. This file decides the order and what happens when a step fails or
the user interrupts: no step starts any more, running commands are stopped, and the first failure is raised. `graph.py`
defines the steps; `progress.py` shows their progress.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Protocol

from deploy.local.layout import Report

# On abort, commands get SIGTERM; a step that has not returned after this many seconds is abandoned and named.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Step:
    """One thing to ensure. `action` is idempotent and receives a function that reports progress to the user.

    `patience_s` is how long an aborting run waits for this step: longer for what must not be interrupted.
    """

    name: str
    action: Callable[[Report], None]
    needs: tuple[str, ...] = ()
    log: Path | None = None
    patience_s: float = PATIENCE_S


class Display(Protocol):
    """Receives the events of a run. Called from the thread that runs the graph, except `reported`."""

    def started(self, step: Step) -> None: ...
    def reported(self, step: Step, text: str) -> None: ...
    def finished(self, step: Step, seconds: float) -> None: ...
    def failed(self, step: Step, seconds: float, error: BaseException) -> None: ...
    def stopping(self, running: Sequence[Step]) -> None: ...
    def stopped(self, step: Step) -> None: ...


class StepFailed(Exception):
    """A step raised; `step` says which one, `__cause__` why."""

    def __init__(self, step: Step, error: BaseException) -> None:
        super().__init__(f"{step.name}: {error}")
        self.step = step
        self.error = error


@dataclass(frozen=True)
class Outcome:
    step: Step
    seconds: float
    error: BaseException | None


@dataclass
class _Run:
    """The state of one run: which steps can start, which are running, how long the finished ones took."""

    steps: dict[str, Step]
    order: TopologicalSorter[str]
    display: Display
    running: dict[str, Step] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    outcomes: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)

    def start_what_can(self) -> None:
        for name in self.order.get_ready():
            step = self.running[name] = self.steps[name]
            self.display.started(step)
            # A daemon thread: a step that ignores its stop must not keep the command from returning.
            threading.Thread(target=self._carry_out, args=(step,), name=step.name, daemon=True).start()

    def _carry_out(self, step: Step) -> None:
        began = time.monotonic()
        error: BaseException | None = None
        try:
            step.action(lambda text: self.display.reported(step, text))
        except BaseException as caught:  # the thread's outermost handler: the run raises it
            error = caught
        self.outcomes.put(Outcome(step, time.monotonic() - began, error))


def run_steps(steps: Sequence[Step], display: Display, *, stop_commands: Callable[[], None]) -> dict[str, float]:
    """Runs every step once, concurrently where `needs` allows, and returns the seconds that each took.

    Raises ValueError for an invalid graph, StepFailed for the first step that failed (after the others were stopped),
    and passes KeyboardInterrupt on after the same. `stop_commands` ends commands that steps have running.
    """
    run = _Run({step.name: step for step in steps}, order_of(steps), display)
    try:
        _run_to_the_end(run, stop_commands)
    except KeyboardInterrupt:
        stop_commands()
        _drain(run)
        raise
    return run.took


def order_of(steps: Sequence[Step]) -> TopologicalSorter[str]:
    """Returns the order. Raises ValueError if names repeat, a dependency is unknown, or the graph has a cycle."""
    names = Counter(step.name for step in steps)
    for name, times in names.items():
        if times > 1:
            raise ValueError(f"step '{name}' appears {times} times")
    order = TopologicalSorter(dict.fromkeys(names, ()))  # added first, so that independent steps keep their order
    for step in steps:
        for need in step.needs:
            if need not in names:
                raise ValueError(f"step '{step.name}' needs '{need}', which is not a step")
        order.add(step.name, *step.needs)
    try:
        order.prepare()
    except CycleError as error:
        # Each step of graphlib's cycle is needed by the next one, and the first is repeated at its end.
        raise ValueError(f"these steps depend on each other in a cycle: {', '.join(error.args[1][:-1])}") from None
    return order


def _run_to_the_end(run: _Run, stop_commands: Callable[[], None]) -> None:
    while run.order.is_active():
        run.start_what_can()
        outcome = run.outcomes.get()
        del run.running[outcome.step.name]
        if outcome.error is not None:
            run.display.failed(outcome.step, outcome.seconds, outcome.error)
            stop_commands()
            _drain(run)
            raise StepFailed(outcome.step, outcome.error) from outcome.error
        run.took[outcome.step.name] = outcome.seconds
        run.order.done(outcome.step.name)
        run.display.finished(outcome.step, outcome.seconds)


def _drain(run: _Run) -> None:
    """Waits for the running steps to notice the stop. Their errors follow from it and are not reported as failures."""
    if run.running:
        run.display.stopping(list(run.running.values()))
    began = time.monotonic()
    while (left := began + _patience_s(run) - time.monotonic()) > 0:
        try:
            outcome = run.outcomes.get(timeout=left)
        except queue.Empty:
            break
        del run.running[outcome.step.name]
        if outcome.error is None:
            run.display.finished(outcome.step, outcome.seconds)
        else:
            run.display.stopped(outcome.step)
    for step in run.running.values():
        run.display.stopped(step)


def _patience_s(run: _Run) -> float:
    return max((step.patience_s for step in run.running.values()), default=0.0)
