"""What Workspaces may cost: the one table of budgets, held by `tests/integration/costs`; and a sweep.

`limit` is what is held: what was counted last and a little more, so that a step more is seen. Whoever makes something
cheaper lowers it. `goal` is where it should be; None where today's figure is the goal.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Budget:
    """Counted when the limit was written, the limit, and the goal."""

    counted: float
    limit: float
    goal: float | None = None


BUDGETS: Final[dict[str, Budget]] = {
    # A life: made, Ready, deleted; the first of a process, which lists and watches for all that come after it (four
    # calls, one for its rights in the namespace, and one to ARM for the sizes), and looks oftener at operations, as it
    # does not know yet how long they take. Whose a ReplicaSet is costs a life and an edit one call each. Five events of
    # a life and of an edit are one step each that was a local activity for a while (docs/decisions/016).
    "life_events": Budget(counted=94, limit=103, goal=90),
    "life_bytes": Budget(counted=25_100, limit=26_500, goal=35_000),
    "life_api_calls": Budget(counted=21, limit=24, goal=22),
    "life_arm_calls": Budget(counted=12, limit=14, goal=10),
    "life_actions": Budget(counted=32, limit=40),
    # An edit that changes options of vLLM: the workload is replaced, the nodes stay.
    "edit_events": Budget(counted=45, limit=51, goal=40),
    "edit_bytes": Budget(counted=13_600, limit=14_500, goal=15_000),
    "edit_api_calls": Budget(counted=16, limit=19),
    "edit_arm_calls": Budget(counted=0, limit=1),
    "edit_actions": Budget(counted=14, limit=16),
    # The look that follows every hour, asked for by a message in the place of its timer: both are one Action.
    # `tests/workflows/test_history_sizes.py` counts a day of looks that time asks for.
    "hour_events": Budget(counted=17, limit=19),
    "hour_bytes": Budget(counted=3_000, limit=3_300),
    "hour_api_calls": Budget(counted=5, limit=6),
    "hour_arm_calls": Budget(counted=0, limit=1),
    "hour_actions": Budget(counted=4, limit=5),
    # Twenty seconds without anything to do; watches that are begun anew and the sweeper's look may fall into them.
    "idle_events": Budget(counted=0, limit=0),
    "idle_bytes": Budget(counted=0, limit=0),
    "idle_api_calls": Budget(counted=0, limit=5),
    "idle_arm_calls": Budget(counted=0, limit=1),
    "idle_actions": Budget(counted=0, limit=0),
}
SWEEP_ACTIONS: Final = Budget(counted=5, limit=5)
"""A sweep that finds nothing: its start and four activities. Held by `tests/workflows/test_sweeping.py`, which needs no
stack for it; the schedule adds two or three by the server's count."""
RATIO_GOALS: Final[dict[str, float]] = {
    "ready_last": 0.55,
    "pools_gone_last": 0.33,
    "cpu_up_per_life": 0.45,
}
"""At most so many times what the code of before this table needs in the same run; `python -m bench --at` measures."""
RESIDENT_GOALS: Final[dict[str, float]] = {"fresh": 300, "after": 420}
"""MiB of watcher, workers and admin together: when they have just begun, and when a crowd of 200 is gone."""
STRAGGLER_GOAL: Final = 2.0
"""From ResourceReady to Ready, the slowest of a crowd takes at most so many times its median."""


def exceeded(figures: dict[str, float]) -> dict[str, str]:
    """Returns what is over its limit, with both numbers. Raises KeyError for a figure without a budget."""
    return {
        name: f"{value:g}, at most {BUDGETS[name].limit:g}"
        for name, value in figures.items()
        if value > BUDGETS[name].limit
    }
