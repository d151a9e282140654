"""What one look at the world means: what nobody uses any more, who has no workflow, which workflow has no Workspace.

Pure. One look can be wrong (things are read one after the other), so only what two looks agree on is acted upon.
"""

from pydantic import BaseModel, ConfigDict

from activities.contract.payloads import Inventory, Living, Owned, Population, Runs, WorkspaceKey


class Findings(BaseModel):
    """What is amiss, sorted; empty lists when nothing is."""

    model_config = ConfigDict(frozen=True)

    orphans: tuple[Owned, ...] = ()
    """Bought for a Workspace that is not there and that no workflow looks after."""
    unattended: tuple[Living, ...] = ()
    """Workspaces that no workflow looks after."""
    bereft: tuple[WorkspaceKey, ...] = ()
    """Workspaces that are not there and whose workflow still runs."""

    def __bool__(self) -> bool:
        return bool(self.orphans or self.unattended or self.bereft)


def findings(inventory: Inventory, population: Population, runs: Runs) -> Findings:
    """Compares by uid what is paid for, by name who is looked after.

    A run that went on for a namesake still carries its first uid; the pool of that one is then left for another time.
    """
    living = {workspace.key.uid for workspace in population.workspaces}
    named = {_name(workspace.key) for workspace in population.workspaces}
    attended = {_name(key) for key in runs.workspaces}
    kept = living | {key.uid for key in runs.workspaces}
    return Findings(
        orphans=tuple(
            thing for thing in sorted(inventory.things, key=lambda thing: thing.name) if thing.workspace.uid not in kept
        ),
        unattended=tuple(
            workspace
            for workspace in sorted(population.workspaces, key=lambda workspace: _name(workspace.key))
            if _name(workspace.key) not in attended
        ),
        bereft=tuple(key for key in sorted(runs.workspaces, key=_name) if _name(key) not in named),
    )


def agreed(first: Findings, second: Findings) -> Findings:
    """What both looks found."""
    unattended = {workspace.key for workspace in first.unattended}
    return Findings(
        orphans=tuple(thing for thing in second.orphans if thing in first.orphans),
        unattended=tuple(workspace for workspace in second.unattended if workspace.key in unattended),
        bereft=tuple(key for key in second.bereft if key in first.bereft),
    )


def _name(key: WorkspaceKey) -> tuple[str, str]:
    return key.namespace, key.name
