"""Runs named steps side by side, each as soon as what it needs is done.

A step is data: a name, what it needs, an action. This file decides the order and what happens when a step fails or
the user interrupts: nothing new starts, running commands are asked to stop, and the first failure is the one raised.
What the steps do is `up.py`'s; how their progress looks is `progress.py`'s.
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

from deploy.local.layout import Say

# Commands get SIGTERM when a run stops; a step that has not returned this long afterwards is left behind and named.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Step:
    """One thing to ensure. `action` is given a function that tells the user what is being done; it may be repeated.

    `patience_s` is how long a run that stops waits for this step: longer for what must not be interrupted.
    """

    name: str
    action: Callable[[Say], None]
    needs: tuple[str, ...] = ()
    log: Path | None = None
    patience_s: float = PATIENCE_S


class Display(Protocol):
    """What a run tells whoever shows it. Called from the thread that runs the graph, except `said`."""

    def started(self, step: Step) -> None: ...
    def said(self, step: Step, text: str) -> None: ...
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
    """The state of one run: what can start next, what is running, how long the finished ones took."""

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
            step.action(lambda text: self.display.said(step, text))
        except BaseException as caught:  # the thread's edge: handed to the run, which raises it
            error = caught
        self.outcomes.put(Outcome(step, time.monotonic() - began, error))


def run_steps(steps: Sequence[Step], display: Display, *, stop_commands: Callable[[], None]) -> dict[str, float]:
    """Runs every step once, side by side where `needs` allows, and returns the seconds that each took.

    Raises ValueError for a graph that cannot be run, StepFailed for the first step that failed (after the others were
    stopped), and passes KeyboardInterrupt on after the same. `stop_commands` ends commands that steps have running.
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
    """What can start when. Raises ValueError when names repeat, a need is unknown, or steps need one another in a
    circle."""
    names = Counter(step.name for step in steps)
    for name, times in names.items():
        if times > 1:
            raise ValueError(f"step '{name}' appears {times} times")
    order = TopologicalSorter(dict.fromkeys(names, ()))  # named first, so that what can start together keeps its order
    for step in steps:
        for need in step.needs:
            if need not in names:
                raise ValueError(f"step '{step.name}' needs '{need}', which is not a step")
        order.add(step.name, *step.needs)
    try:
        order.prepare()
    except CycleError as error:
        # Each step of graphlib's circle is needed by the one after it, and the first is named again at its end.
        raise ValueError(f"these steps need one another in a circle: {', '.join(error.args[1][:-1])}") from None
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
