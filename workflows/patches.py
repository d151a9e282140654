"""The table of Temporal patches: versioned changes of workflow code, and when the old branch can be removed.

Changing the order or kind of a workflow's commands breaks the replay of runs that began before the change. Such a
change branches on `patched` and gets an entry in PATCHES (see Temporal's documentation of patching). It takes two
releases: the first knows both branches and begins none, the second begins it. So either can be followed by the other,
while both run and after a rollback. Entry and old branch are removed when no run is left that began before the second:
a workflow continues as new when a newer version has taken it over, and ends with its Workspace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temporalio import workflow


@dataclass(frozen=True)
class Patch:
    """One change. `id`: lower-case words and the month of the change, as in `ask-providers-2026-11`; `guards`: what the
    new branch does differently; `until`: when the old branch can be removed; `begins`: whether workers of this release
    begin with it. A run that has it already keeps it."""

    id: str
    guards: str
    until: str
    begins: bool = False


OWN_NODES_ARE_WAITED_FOR: Final = "own-nodes-are-waited-for-2026-11"
ENDS_UNWRITTEN: Final = "a-run-ends-with-its-status-unwritten-2026-11"
LOOKS_ON: Final = "look-on-although-nothing-can-be-planned-2026-11"
LAST_GOOD: Final = "put-the-last-good-one-back-2026-11"

PATCHES: Final[Sequence[Patch]] = (
    Patch(
        OWN_NODES_ARE_WAITED_FOR,
        guards="a pass without a node that has the labels waits for one after Size, where it failed",
        until="no run is left that began under 0.1.0",
        begins=True,
    ),
    Patch(
        LAST_GOOD,
        guards="a failed edit is answered with what served before it, and another machine is checked before the old "
        "one is given back",
        until="no run is left that began under 0.1.0",
        begins=True,
    ),
    Patch(
        LOOKS_ON,
        guards="a look at a Workspace whose ConfigMap or spec is refused by now goes on to its nodes and tells so",
        until="no run is left that began under 0.1.0",
        begins=True,
    ),
    Patch(
        ENDS_UNWRITTEN,
        guards="a run that is over does not wait until its status is written: the next one writes it",
        until="no run is left that began under 0.1.0",
        begins=True,
    ),
)
"""A patch of this release begins with it: none was released before 0.1.0, of which no workflow runs anywhere."""


def patched(patch_id: str) -> bool:
    """Whether this run takes the new branch. Raises KeyError for an id that is not in the table."""
    if patch_id not in {patch.id for patch in PATCHES}:
        raise KeyError(patch_id)
    return workflow.patched(patch_id)


def begins(patch_id: str, patches: Sequence[Patch] = PATCHES) -> bool:
    """Whether a run that comes to this change for the first time takes the new branch."""
    return any(patch.id == patch_id and patch.begins for patch in patches)
