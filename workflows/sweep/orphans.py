"""What one look at the world means: what nobody uses any more, who has no workflow, which workflow has no Workspace.

Pure. One look can be wrong (things are read one after the other), so only what two looks agree on is acted upon.
"""

from pydantic import BaseModel, ConfigDict

from activities.contract.payloads import (
    Inventory,
    OwnedResource,
    RunningWorkflows,
    WorkspaceKey,
    WorkspaceList,
    WorkspaceRef,
)


class Findings(BaseModel):
    """What is amiss, sorted; empty lists when nothing is."""

    model_config = ConfigDict(frozen=True)

    orphans: tuple[OwnedResource, ...] = ()
    """Bought for a Workspace that is not there and that no workflow looks after."""
    without_workflow: tuple[WorkspaceRef, ...] = ()
    """Workspaces that no workflow looks after."""
    without_workspace: tuple[WorkspaceKey, ...] = ()
    """Workspaces that are not there and whose workflow still runs."""

    def __bool__(self) -> bool:
        return bool(self.orphans or self.without_workflow or self.without_workspace)


def findings(inventory: Inventory, population: WorkspaceList, runs: RunningWorkflows) -> Findings:
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
        without_workflow=tuple(
            workspace
            for workspace in sorted(population.workspaces, key=lambda workspace: _name(workspace.key))
            if _name(workspace.key) not in attended
        ),
        without_workspace=tuple(key for key in sorted(runs.workspaces, key=_name) if _name(key) not in named),
    )


def confirmed(first: Findings, second: Findings) -> Findings:
    """What both looks found."""
    without_workflow = {workspace.key for workspace in first.without_workflow}
    return Findings(
        orphans=tuple(thing for thing in second.orphans if thing in first.orphans),
        without_workflow=tuple(workspace for workspace in second.without_workflow if workspace.key in without_workflow),
        without_workspace=tuple(key for key in second.without_workspace if key in first.without_workspace),
    )


def _name(key: WorkspaceKey) -> tuple[str, str]:
    return key.namespace, key.name
