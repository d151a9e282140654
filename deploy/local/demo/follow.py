"""Follows one Workspace by its status, as a user with kubectl could: what changed, and how long each step took.

Pure functions from two snapshots to lines; `demo.py` reads and waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from api.resource.status import Phase, WorkspaceStatus


@dataclass(frozen=True)
class StatusSnapshot:
    """The status as it was `at` seconds after the Workspace was applied."""

    at: float
    status: WorkspaceStatus


def changes(before: WorkspaceStatus, after: WorkspaceStatus) -> list[str]:
    """Returns one line for a new step, reason or message, and one for each changed condition."""
    lines = []
    shown = (after.step, after.reason, after.message)
    if shown != (before.step, before.reason, before.message) and any(shown):
        lines.append(f"{after.step or after.phase or '':<16}{after.message or after.reason or ''}".rstrip())
    was = {condition.type: condition.status for condition in before.conditions}
    for condition in after.conditions:
        if condition.status == "True" and was.get(condition.type) != "True":
            lines.append(f"{'':<16}{condition.type} is True")
    return lines


def is_ready(status: WorkspaceStatus) -> bool:
    return status.phase is Phase.READY


def is_done(status: WorkspaceStatus) -> bool:
    """True if the Workspace is Ready, or has succeeded."""
    return status.phase in (Phase.READY, Phase.SUCCEEDED)


def is_over(status: WorkspaceStatus) -> bool:
    """True if the status will not change without a change of the spec."""
    return status.phase in (Phase.FAILED, Phase.CONTROLLER_ERROR)


def step_times(snapshots: Sequence[StatusSnapshot]) -> list[tuple[str, float]]:
    """Returns the seconds of each step, in the order of first appearance; the last snapshot ends the last step."""
    seconds: dict[str, float] = {}
    for snapshot, following in pairwise(snapshots):
        step = snapshot.status.step
        if step is not None and not is_ready(snapshot.status):
            seconds[str(step)] = seconds.get(str(step), 0.0) + following.at - snapshot.at
    return list(seconds.items())
