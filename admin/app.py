"""The admin endpoints: read and control Workspaces through Temporal queries and updates. Who may is `access/`'s.

Status codes: 401, 403, 421 and 422 of `access/guard.py`; 409 with the workflow's message for a rejected update, or for
a phase that cannot be searched by; 404 without a workflow, 503 without a worker or Temporal. An Idempotency-Key becomes
the update's ID, so that a repeated request is one update.
"""

from collections.abc import Collection
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse
from starlette.routing import Route
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from admin.access.guard import OPEN, Guard, namespace_of, require_right
from admin.access.identity import Access
from admin.plan import BODY_LIMIT, add_plans
from admin.views import RPC_TIMEOUT, WorkspaceLine, WorkspaceView, list_workspaces, read_workspace
from api import names
from api.resource.status import Phase
from process.encryption.codec import UnreadablePayload
from process.health import Health
from process.serving.bodies import BoundedBodies
from workflows.messages import Answer, Deadline, ForcedCleanup
from workflows.status.search_attributes import PHASE
from workflows.workspace import WorkspaceWorkflow

BODY_S: Final = 10.0
"""Seconds for a request's body, from its head."""
UNAVAILABLE: Final = "no worker answered, or Temporal cannot be reached: check the workers' /readyz"
FAILING: Final = (
    "the workflow's task fails again and again, so it takes no query and no update: the cause is in its last "
    "WorkflowTaskFailed event in the Temporal UI, and in the log of the worker of queue `workspaces`"
)
UNSEARCHABLE: Final = (
    "Temporal's namespace lacks the search attributes by which phases are listed: the watcher's log has the command "
    "that makes them. The list of all Workspaces needs none"
)
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


def admin_application(client: Client, access: Access, hosts: Collection[str]) -> FastAPI:
    """Returns an application with all routes over one Temporal client, for those whom `access` lets, who ask by one of
    `hosts`. It has no OpenAPI pages."""
    app = FastAPI(openapi_url=None, dependencies=[Depends(require_right(access))])
    health = Health(lambda: True, None)
    app.router.routes.extend(Route(path, health) for path in OPEN)
    _add_reads(app, client)
    _add_updates(app, client)
    add_plans(app, client)
    app.add_exception_handler(RPCError, _rpc_failed)
    app.add_exception_handler(UnreadablePayload, _unreadable)
    app.add_exception_handler(WorkflowUpdateFailedError, _refused)
    app.add_exception_handler(WorkflowUpdateRPCTimeoutOrCancelledError, _no_answer)
    app.add_middleware(BoundedBodies, limit=BODY_LIMIT, seconds=BODY_S)
    app.add_middleware(Guard, access=access, hosts=frozenset(hosts))  # the last is the first that is asked
    return app


def _add_reads(app: FastAPI, client: Client) -> None:
    @app.get("/workspaces")
    async def workspaces(request: Request, phase: Annotated[Phase | None, Query()] = None) -> list[WorkspaceLine]:
        return await list_workspaces(client, phase, namespace_of(request))

    @app.get("/workspaces/{namespace}/{name}")
    async def workspace(namespace: str, name: str) -> WorkspaceView:
        return await read_workspace(client, namespace, name)


def _add_updates(app: FastAPI, client: Client) -> None:
    async def update(namespace: str, name: str, update: Any, key: str | None, **arguments: Any) -> Any:
        handle = client.get_workflow_handle(names.workflow_id(namespace, name))
        return await handle.execute_update(update, id=key, rpc_timeout=RPC_TIMEOUT, **arguments)

    @app.post("/workspaces/{namespace}/{name}/retry")
    async def retry(namespace: str, name: str, key: Key = None) -> Answer:
        return Answer.model_validate(await update(namespace, name, WorkspaceWorkflow.retry, key))

    @app.post("/workspaces/{namespace}/{name}/pause")
    async def pause(namespace: str, name: str, key: Key = None) -> Answer:
        return Answer.model_validate(await update(namespace, name, WorkspaceWorkflow.pause, key))

    @app.post("/workspaces/{namespace}/{name}/resume")
    async def resume(namespace: str, name: str, key: Key = None) -> Answer:
        return Answer.model_validate(await update(namespace, name, WorkspaceWorkflow.resume, key))

    @app.put("/workspaces/{namespace}/{name}/deadline")
    async def deadline(namespace: str, name: str, deadline: Deadline, key: Key = None) -> Answer:
        answer = await update(namespace, name, WorkspaceWorkflow.set_deadline, key, arg=deadline)
        return Answer.model_validate(answer)

    @app.post("/workspaces/{namespace}/{name}/force-cleanup")
    async def force_cleanup(namespace: str, name: str, key: Key = None) -> ForcedCleanup:
        return ForcedCleanup.model_validate(await update(namespace, name, WorkspaceWorkflow.force_cleanup, key))


async def _rpc_failed(request: Request, error: Exception) -> JSONResponse:
    missing = isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND
    if missing:
        return JSONResponse({"detail": f"there is no workflow of a Workspace for {request.url.path}"}, status_code=404)
    if isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT and PHASE.name in str(error):
        return JSONResponse({"detail": UNSEARCHABLE}, status_code=409)
    # Temporal refuses queries and updates so from the third attempt of a workflow task on.
    failing = isinstance(error, RPCError) and error.status is RPCStatusCode.FAILED_PRECONDITION
    return JSONResponse({"detail": f"{FAILING if failing else UNAVAILABLE} ({error})"}, status_code=503)


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    cause = error.__cause__
    return JSONResponse({"detail": str(getattr(cause, "message", cause or error))}, status_code=409)


async def _no_answer(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": UNAVAILABLE}, status_code=503)
