"""Derives from one scan: orphaned resources, Workspaces without a workflow, and workflows without a Workspace.

Pure. One scan can be wrong, because its lists are read one after the other; `confirmed` keeps what two scans found.
"""

from pydantic import BaseModel, ConfigDict

from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import Inventory, OwnedResource, RunningWorkflows, WorkspaceList, WorkspaceRef


class Findings(BaseModel):
    """Results of a scan, sorted."""

    model_config = ConfigDict(frozen=True)

    orphans: tuple[OwnedResource, ...] = ()
    """Resources of a Workspace that does not exist and has no workflow."""
    without_workflow: tuple[WorkspaceRef, ...] = ()
    """Workspaces without a running workflow."""
    without_workspace: tuple[WorkspaceKey, ...] = ()
    """Keys of running workflows whose Workspace does not exist."""

    def __bool__(self) -> bool:
        return bool(self.orphans or self.without_workflow or self.without_workspace)


def findings(inventory: Inventory, population: WorkspaceList, runs: RunningWorkflows) -> Findings:
    """Compares resources by UID, and workflows with Workspaces by name.

    A run that continued for a successor still carries its first UID; a pool with that UID is left to a later sweep.
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
    """Returns what both scans found."""
    without_workflow = {workspace.key for workspace in first.without_workflow}
    return Findings(
        orphans=tuple(thing for thing in second.orphans if thing in first.orphans),
        without_workflow=tuple(workspace for workspace in second.without_workflow if workspace.key in without_workflow),
        without_workspace=tuple(key for key in second.without_workspace if key in first.without_workspace),
    )


def _name(key: WorkspaceKey) -> tuple[str, str]:
    return key.namespace, key.name
