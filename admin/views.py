"""Response models of the admin endpoints, built from the workflow's own state.

Queries Temporal, never Kubernetes, so that responses show the state that the workflow acts on.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel
from temporalio.client import Client, WorkflowExecution

from api import names
from workflows.state import HeldResource, StepRecord, WorkspaceState
from workflows.status import search_attributes
from workflows.workspace import WorkspaceWorkflow

RPC_TIMEOUT: Final = timedelta(seconds=10)


class WorkspaceLine(BaseModel):
    """One Workspace in a list."""

    namespace: str
    name: str
    phase: str
    preset: str
    instance_type: str
    generation: int
    started: datetime


class WorkspaceView(BaseModel):
    """One Workspace: its phase and reason, the resources it holds, and its steps with their times."""

    namespace: str
    name: str
    uid: str
    generation: int
    phase: str
    reason: str
    message: str
    since: datetime | None
    deadline: datetime | None
    paused: bool
    nodes: list[str]
    holdings: list[HeldResource]
    steps: list[StepRecord]
    price_per_hour: float | None


async def list_workspaces(client: Client, phase: str | None = None, namespace: str = "") -> list[WorkspaceLine]:
    """Lists Workspaces with a running workflow: all, or those in one phase and in one namespace, whose name must be
    one."""
    query = "WorkflowType = 'Workspace' AND ExecutionStatus = 'Running'"
    if phase:
        query += f" AND {search_attributes.PHASE.name} = '{phase}'"
    if namespace:
        query += f" AND WorkflowId STARTS_WITH '{names.workflow_id(namespace, '')}'"
    executions: AsyncIterator[WorkflowExecution] = client.list_workflows(query, rpc_timeout=RPC_TIMEOUT)
    return [_line(execution) async for execution in executions]


async def read_workspace(client: Client, namespace: str, name: str) -> WorkspaceView:
    """Reads one Workspace. Raises RPCError: NOT_FOUND without a workflow, a timeout if no worker responds."""
    handle = client.get_workflow_handle(names.workflow_id(namespace, name))
    state = await handle.query(WorkspaceWorkflow.progress, rpc_timeout=RPC_TIMEOUT)
    return view_of(state)


def view_of(state: WorkspaceState) -> WorkspaceView:
    """Returns the part of the state that is exposed to users."""
    spec, status, resources = state.spec, state.status, state.resources
    return WorkspaceView(
        namespace=state.key.namespace,
        name=state.key.name,
        uid=state.key.uid,
        generation=spec.observed,
        phase=status.phase,
        reason=status.reason,
        message=status.message,
        since=status.since,
        deadline=status.deadline,
        paused=state.control.paused,
        nodes=resources.nodes,
        holdings=resources.holdings,
        steps=status.steps,
        price_per_hour=spec.plan.price_per_hour if spec.plan else None,
    )


def _line(execution: WorkflowExecution) -> WorkspaceLine:
    key = names.key_of_workflow(execution.id)
    found = execution.typed_search_attributes
    return WorkspaceLine(
        namespace=key.namespace,
        name=key.name,
        phase=found.get(search_attributes.PHASE, ""),
        preset=found.get(search_attributes.PRESET, ""),
        instance_type=found.get(search_attributes.INSTANCE_TYPE, ""),
        generation=found.get(search_attributes.GENERATION, 0),
        started=execution.start_time,
    )
