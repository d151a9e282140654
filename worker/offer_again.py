"""Has the statuses written that a process took with it when it died: at its start, a worker queries each workflow that
is not at rest, and the worker that answers offers its newest status to its own writer.

A workflow at rest has had its status confirmed. One that goes on by itself offers a status anyway, so a query that
fails is only logged.
"""

import asyncio
import logging
from typing import Final

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from api.resource.status import Phase
from workflows.status.search_attributes import PHASE
from workflows.workspace import WorkspaceWorkflow

AT_REST: Final = (Phase.READY, Phase.SUCCEEDED, Phase.FAILED, Phase.CONTROLLER_ERROR, Phase.PAUSED)
AT_ONCE: Final = 4
"""Queries at a time: each one may replay a history."""


def under_way() -> str:
    """Returns the visibility query for the Workspaces that are not at rest."""
    resting = ", ".join(f"'{phase}'" for phase in AT_REST)
    return f"WorkflowType = 'Workspace' AND ExecutionStatus = 'Running' AND {PHASE.name} NOT IN ({resting})"


async def offer_again(client: Client) -> int:
    """Queries every workflow under way; returns how many answered. Failures are logged: nothing depends on it but how
    old a status may be."""
    limit, log = asyncio.Semaphore(AT_ONCE), logging.getLogger(__name__)

    async def ask(workflow_id: str) -> bool:
        async with limit:
            handle = client.get_workflow_handle_for(WorkspaceWorkflow.run, workflow_id)
            try:
                await handle.query(WorkspaceWorkflow.offer_status)
            except (RPCError, WorkflowQueryFailedError) as error:
                log.warning("%s did not offer its status again: %s", workflow_id, error)
                return False
            return True

    try:
        found = [one.id async for one in client.list_workflows(under_way())]
    except RPCError as error:
        log.warning("the workflows under way could not be listed: %s", error)
        return 0
    return sum(await asyncio.gather(*(ask(one) for one in found)))
