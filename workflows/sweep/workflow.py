"""The sweep: compares resources and workflows with existing Workspaces, in two scans with a pause, and repairs what
both found.

Runs on a schedule, and manually with `modelyard sweep`. Every deletion is an activity in this workflow's history. It is
the second line of defence: Workspaces release what they hold themselves; the sweep finds what is not recorded.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.contract import queues, signatures
from activities.contract.nodes import PoolKey
from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import (
    Inventory,
    OwnedResource,
    RunningWorkflows,
    SweepScope,
    WorkspaceList,
    WorkspaceRef,
)
from api import names
from workflows.activity_calls import call, gather_or_cancel, reason_and_message
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.status import search_attributes
from workflows.sweep.orphans import Findings, confirmed, findings

PAUSE_S: Final = 120
"""Seconds. Longer than any list call lags: ARM's lists and Temporal's visibility lag by seconds."""
_RELEASES: Final = {
    "node_pool": signatures.DELETE_NODE_POOL,
    "node_claims": signatures.DELETE_NODE_CLAIMS,
    "node_reservations": signatures.DELETE_NODE_RESERVATIONS,
}
RELEASE_S: Final = 30 * 60
"""Deadline in seconds of one orphan's deletion; after it, the next sweep finds the orphan again."""


class SweepRequest(BaseModel):
    """`dry_run` only reports; `pause_s` is the time between the two scans in seconds."""

    model_config = ConfigDict(frozen=True)

    dry_run: bool = False
    pause_s: int = PAUSE_S


class SweepReport(BaseModel):
    """What was found, and by name of a resource the reason why it could not be deleted."""

    model_config = ConfigDict(frozen=True)

    dry_run: bool
    found: Findings
    failed: dict[str, str] = {}


@workflow.defn(name="Sweep")
class SweepWorkflow:
    """One sweep."""

    def __init__(self) -> None:
        self._searchable = True

    @workflow.run
    async def run(self, request: SweepRequest) -> SweepReport:
        """Raises ActivityError if one of the two scans failed; nothing is changed then."""
        first = await self._scan("First scan")
        if not first:
            return SweepReport(dry_run=request.dry_run, found=first)
        await workflow.sleep(request.pause_s, summary="Wait; only what the second scan finds, too, is repaired")
        found = confirmed(first, await self._scan("Second scan"))
        workflow.set_current_details(_details(found))
        failed = {} if request.dry_run else await self._repair(found)
        return SweepReport(dry_run=request.dry_run, found=found, failed=failed)

    async def _scan(self, which: str) -> Findings:
        scope = SweepScope()
        # Resources are read first: then a Workspace created during the scan cannot have its pool taken for an orphan.
        inventory = await _inventory(scope, which)
        living, attended = await gather_or_cancel(
            call(signatures.READ_POPULATION, scope, summary=f"{which}: list the Workspaces in the cluster"),
            call(signatures.READ_RUNS, scope, summary=f"{which}: list the Workspaces with a workflow"),
        )
        population, runs = WorkspaceList.model_validate(living), RunningWorkflows.model_validate(attended)
        self._searchable = runs.searchable
        return findings(inventory, population, runs)

    async def _repair(self, found: Findings) -> dict[str, str]:
        failed: dict[str, str] = {}
        for workspace in found.without_workflow:
            await _start_workflow(workspace, searchable=self._searchable)
        for key in found.without_workspace:
            await _request_resync(key)
        for thing in found.orphans:
            try:
                await _release(thing)
            except ActivityError as error:
                reason, message = reason_and_message(error)
                failed[thing.name] = f"{reason}: {message}"
        return failed


async def _inventory(scope: SweepScope, which: str) -> Inventory:
    here = await call(signatures.READ_OWNED_NODES, scope, summary=f"{which}: list our NodeClaims and reservations")
    if not here.cloud:
        return here
    bought = await call(signatures.READ_OWNED_POOLS, scope, summary=f"{which}: list the node pools with our tags")
    return bought.model_copy(update={"things": [*bought.things, *here.things]})


async def _start_workflow(workspace: WorkspaceRef, *, searchable: bool) -> None:
    """Starts the workflow that the watcher's message should have started, unless it has started meanwhile."""
    key = workspace.key
    try:
        child = await workflow.start_child_workflow(
            "Workspace",
            WorkspaceInput(key=key, searchable=searchable),
            id=names.workflow_id(key.namespace, key.name),
            task_queue=queues.WORKSPACES,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"Workspace {_full(key)}",
            memo={"uid": key.uid},
            search_attributes=search_attributes.at_start(key.namespace, searchable=searchable),
            priority=queues.started_for(key.namespace),
        )
    except WorkflowAlreadyStartedError:
        workflow.logger.info("the workflow was started meanwhile", extra={"workspace": _full(key)})
        return
    # If this signal is lost, the new workflow reads the API server itself within the hour.
    message = Changed(uid=key.uid, generation=workspace.generation, deleting=workspace.deleting)
    await child.signal(SIGNAL_CHANGED, message)


async def _request_resync(key: WorkspaceKey) -> None:
    """Triggers a resync: the workflow itself reads from the API server whether its Workspace is gone."""
    handle = workflow.get_external_workflow_handle(names.workflow_id(key.namespace, key.name))
    try:
        await handle.signal(SIGNAL_CHANGED, Changed(uid=key.uid, generation=0, resync=True))
    except FailureError:
        workflow.logger.info("the workflow has ended meanwhile", extra={"workspace": _full(key)})


async def _release(thing: OwnedResource) -> None:
    await call(
        _RELEASES[thing.kind],
        PoolKey(workspace=thing.workspace, pool_name=thing.name),
        summary=f"Delete the orphaned {in_words(thing)}, which is gone",
        deadline_s=RELEASE_S,
    )


def in_words(thing: OwnedResource) -> str:
    """Returns, for example, `node pool wsabcdefghij of default/phi-4`; a reservation has only the owner's UID."""
    owner = _full(thing.workspace) if thing.workspace.name else f"a Workspace with uid {thing.workspace.uid}"
    return f"{thing.kind.replace('_', ' ')} {thing.name} of {owner}"


def _details(found: Findings) -> str:
    lines = [f"- {in_words(thing)}, which is gone" for thing in found.orphans]
    lines += [f"- {_full(one.key)} has no workflow" for one in found.without_workflow]
    lines += [f"- {_full(key)} is gone and has a workflow" for key in found.without_workspace]
    return "\n".join(lines) or "nothing is orphaned"


def _full(key: WorkspaceKey) -> str:
    return f"{key.namespace}/{key.name}"
