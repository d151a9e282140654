"""Has the statuses written that a process took with it when it died: at its start, a worker sends a signal to each
workflow that is not at rest, and the worker that replays the workflow offers the newest status to its own writer.

A workflow at rest has had its status confirmed. One that goes on by itself offers a status anyway, so a signal that
fails is only logged. Not a query: where one is answered by a replay, just when an activity has ended, the SDK's core
takes that end for one of an earlier workflow task, and the next message can leave a history that no worker can replay.
"""

import asyncio
import logging
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api.resource.status import Phase
from workflows.status.search_attributes import PHASE
from workflows.workspace import WorkspaceWorkflow

RUNNING: Final = "WorkflowType = 'Workspace' AND ExecutionStatus = 'Running'"
AT_REST: Final = (Phase.READY, Phase.SUCCEEDED, Phase.FAILED, Phase.CONTROLLER_ERROR, Phase.PAUSED)
EVERY_S: Final = 0.05
"""Between two signals: each has a history replayed, beside the work that goes on."""


def under_way(*, searchable: bool = True) -> str:
    """Returns the visibility query for the Workspaces that are not known to be at rest: that are all if Temporal lacks
    the search attributes, and one whose workflow began when it did has no phase yet."""
    if not searchable:
        return RUNNING
    resting = ", ".join(f"'{phase}'" for phase in AT_REST)
    return f"{RUNNING} AND ({PHASE.name} IS NULL OR {PHASE.name} NOT IN ({resting}))"


async def offer_again(client: Client, *, searchable: bool = True) -> int:
    """Signals every workflow under way; returns how many it reached. Failures are logged: nothing depends on it but how
    old a status may be."""
    log, sent = logging.getLogger(__name__), 0
    try:
        found = [one.id async for one in client.list_workflows(under_way(searchable=searchable))]
    except RPCError as error:
        log.warning("the workflows under way could not be listed: %s", error)
        return 0
    for workflow_id in found:
        handle = client.get_workflow_handle(workflow_id)
        try:
            await handle.signal(WorkspaceWorkflow.offer_status)
            sent += 1
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                log.warning("%s could not be asked for its status: %s", workflow_id, error)
        await asyncio.sleep(EVERY_S)
    return sent
