"""The sweeper: compares what is paid for with who is alive, twice with a pause, and mends what both looks found.

Runs on a schedule, and by hand with `modelyard sweep`. Every removal is a step of this workflow's history. It is the
second line: Workspaces give back what they hold themselves, and here is found only what no record tells of.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.contract import queues, signatures
from activities.contract.payloads import (
    Inventory,
    OwnedResource,
    PoolKey,
    RunningWorkflows,
    SweepScope,
    WorkspaceKey,
    WorkspaceList,
    WorkspaceRef,
)
from api import names
from workflows.execute import call, gather_or_cancel, reason_and_message
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.status import search_attributes
from workflows.sweep.orphans import Findings, confirmed, findings

PAUSE_S: Final = 120
"""Longer than anything takes to become visible: list calls of ARM and Temporal's visibility lag by seconds."""
_RELEASES: Final = {
    "node_pool": signatures.DELETE_NODE_POOL,
    "node_claims": signatures.DELETE_NODE_CLAIMS,
    "node_reservations": signatures.DELETE_NODE_RESERVATIONS,
}
RELEASE_S: Final = 30 * 60
"""One orphan's deletion; what takes longer is found again by the next sweep."""


class SweepRequest(BaseModel):
    """`dry_run` only tells; `pause_s` is the time between the two looks in seconds."""

    model_config = ConfigDict(frozen=True)

    dry_run: bool = False
    pause_s: int = PAUSE_S


class SweepReport(BaseModel):
    """What was amiss, and for each thing that could not be mended, why."""

    model_config = ConfigDict(frozen=True)

    dry_run: bool
    found: Findings
    failed: dict[str, str] = {}


@workflow.defn(name="Sweep")
class SweepWorkflow:
    """One sweep."""

    @workflow.run
    async def run(self, request: SweepRequest) -> SweepReport:
        """Raises ActivityError when one of the two looks failed: then nothing is touched."""
        first = await self._look("first look")
        if not first:
            return SweepReport(dry_run=request.dry_run, found=first)
        await workflow.sleep(request.pause_s, summary="what is amiss now must still be so after this")
        found = confirmed(first, await self._look("second look"))
        workflow.set_current_details(_in_words(found))
        failed = {} if request.dry_run else await self._mend(found)
        return SweepReport(dry_run=request.dry_run, found=found, failed=failed)

    async def _look(self, which: str) -> Findings:
        scope = SweepScope()
        # What is paid for is read first: a Workspace that comes while we look is then no orphan's late owner.
        inventory = await _inventory(scope, which)
        living, attended = await gather_or_cancel(
            call(signatures.READ_POPULATION, scope, summary=f"{which}: Workspaces in the cluster"),
            call(signatures.READ_RUNS, scope, summary=f"{which}: Workspaces with a workflow"),
        )
        population, runs = WorkspaceList.model_validate(living), RunningWorkflows.model_validate(attended)
        return findings(inventory, population, runs)

    async def _mend(self, found: Findings) -> dict[str, str]:
        failed: dict[str, str] = {}
        for workspace in found.without_workflow:
            await _attend(workspace)
        for key in found.without_workspace:
            await _tell(key)
        for thing in found.orphans:
            try:
                await _release(thing)
            except ActivityError as error:
                reason, message = reason_and_message(error)
                failed[thing.name] = f"{reason}: {message}"
        return failed


async def _inventory(scope: SweepScope, which: str) -> Inventory:
    here = await call(signatures.READ_OWNED_NODES, scope, summary=f"{which}: NodeClaims and reservations of ours")
    if not here.cloud:
        return here
    bought = await call(signatures.READ_OWNED_POOLS, scope, summary=f"{which}: pools with our tags")
    return bought.model_copy(update={"things": [*bought.things, *here.things]})


async def _attend(workspace: WorkspaceRef) -> None:
    """Starts the workflow that the watcher's message should have started; one that came meanwhile is as good."""
    key = workspace.key
    try:
        child = await workflow.start_child_workflow(
            "Workspace",
            WorkspaceInput(key=key),
            id=names.workflow_id(key.namespace, key.name),
            task_queue=queues.WORKSPACES,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"Workspace {_full(key)}",
            memo={"uid": key.uid},
            search_attributes=search_attributes.at_start(key.namespace),
        )
    except WorkflowAlreadyStartedError:
        workflow.logger.info("has a workflow by now", extra={"workspace": _full(key)})
        return
    # Should this be lost, the new workflow asks the API server itself within the hour.
    message = Changed(uid=key.uid, generation=workspace.generation, deleting=workspace.deleting)
    await child.signal(SIGNAL_CHANGED, message)


async def _tell(key: WorkspaceKey) -> None:
    """Makes the workflow ask the API server itself; our word that its Workspace is gone is not taken for it."""
    handle = workflow.get_external_workflow_handle(names.workflow_id(key.namespace, key.name))
    try:
        await handle.signal(SIGNAL_CHANGED, Changed(uid=key.uid, generation=0, resync=True))
    except FailureError:
        workflow.logger.info("has ended by now", extra={"workspace": _full(key)})


async def _release(thing: OwnedResource) -> None:
    await call(
        _RELEASES[thing.kind],
        PoolKey(workspace=thing.workspace, pool_name=thing.name),
        summary=f"delete orphaned {in_words(thing)}, which is gone",
        deadline_s=RELEASE_S,
    )


def in_words(thing: OwnedResource) -> str:
    """`node pool wsabcdefghij of default/phi-4`; of a reservation no more than the uid is known."""
    owner = _full(thing.workspace) if thing.workspace.name else f"a Workspace with uid {thing.workspace.uid}"
    return f"{thing.kind.replace('_', ' ')} {thing.name} of {owner}"


def _in_words(found: Findings) -> str:
    lines = [f"- {in_words(thing)}, which is gone" for thing in found.orphans]
    lines += [f"- {_full(one.key)} has no workflow" for one in found.without_workflow]
    lines += [f"- {_full(key)} is gone and has a workflow" for key in found.without_workspace]
    return "\n".join(lines) or "nothing is amiss"


def _full(key: WorkspaceKey) -> str:
    return f"{key.namespace}/{key.name}"
