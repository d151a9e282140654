"""Changes of workflow code that running workflows must not notice, and until when both ways are kept.

A change of the order or kind of what a workflow asks of Temporal breaks the replay of workflows that began before it.
Such a change asks `patched` which way to go and gets a line in PATCHES; docs of `workflow.patched` tell the rest. The
line and the old way go when no workflow is left that began before the patch: every Workspace's workflow begins a new
run when its history grows long, and at the latest when it is deleted.
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
