"""Workflow tasks that did not succeed: which of them a busy machine explains, and which are faults of the workflow.

Temporal repeats a failed task until it succeeds, so a fault that the second attempt hides is seen in the history only.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

# CANCELLED and DEADLINE_EXCEEDED: a busy worker has histories to replay before it answers. FAILED_PRECONDITION: the
# server refuses queries and updates from the third attempt of a workflow task on, whatever ended the first two
# (`failQueryWorkflowTaskAttemptCount` in its source).
ASK_AGAIN: Final = (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION)
# The SDK gives up a task that got no processor for two seconds.
NO_PROCESSOR: Final = "[TMPRL1101]"
# A message came while the workflow ended: it is looked at first.
OVERTAKEN: Final = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


def may_be_asked_again(error: RPCError) -> bool:
    """Whether a query or an update that failed so may succeed a little later."""
    return error.status in ASK_AGAIN


def faults_in(events: Iterable[HistoryEvent]) -> list[str]:
    """The failed workflow tasks of one history that no busy machine explains, with cause and message."""
    faults = []
    for event in events:
        if not event.HasField("workflow_task_failed_event_attributes"):
            continue
        failed = event.workflow_task_failed_event_attributes
        if failed.cause != OVERTAKEN and NO_PROCESSOR not in failed.failure.message:
            cause = WorkflowTaskFailedCause.Name(failed.cause)
            faults.append(f"workflow task {event.event_id} failed, {cause}: {failed.failure.message}")
    return faults


async def faults_of(client: Client, workflow_id: str) -> list[str]:
    """The same for every run with this id that the server lists."""
    return [fault async for fault in _faults_of(client, workflow_id)]


async def _faults_of(client: Client, workflow_id: str) -> AsyncIterator[str]:
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        for fault in faults_in(history.events):
            yield f"run {run.run_id}: {fault}"
