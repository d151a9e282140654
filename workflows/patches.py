"""Changes of workflow code that running workflows must not notice, and until when both ways are kept.

A change of the order or kind of what a workflow asks of Temporal breaks the replay of runs that began before it. Such a
change asks `patched` which way to go and gets a line in PATCHES (Temporal's documentation of patching tells the rest).
Line and old way go when no run is left that began before the patch: a workflow begins a new run when its history grows
long, and ends with its Workspace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temporalio import workflow


@dataclass(frozen=True)
class Patch:
    """One change. `id` is lower-case words and the month it was made, as in `ask-providers-2026-11`; `guards` says what
    is done otherwise since then, `until` when the old way may go."""

    id: str
    guards: str
    until: str


PATCHES: Final[Sequence[Patch]] = ()
"""Empty: no workflow of an older release runs anywhere."""


def patched(patch_id: str) -> bool:
    """Whether this run goes the new way. Raises KeyError for an id that is not in the table."""
    if patch_id not in {patch.id for patch in PATCHES}:
        raise KeyError(patch_id)
    return workflow.patched(patch_id)
