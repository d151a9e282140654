"""Plans over HTTP: computes the plan of a submitted Workspace, and returns the recorded plan of an existing one.

POST /plan takes a Workspace as JSON, or a List of one Workspace and ConfigMaps; nothing is stored or looked up. A plan
that cannot be carried out is returned (200) with `errors`; a body that is not a Workspace is 422.
"""

import asyncio
import json
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Request
from temporalio.client import Client

from admin.views import RPC_TIMEOUT
from api import labels, names
from api.providers import Provider
from presets.plan.document import PlanReport
from workflows.workspace import WorkspaceWorkflow

BODY_LIMIT: Final = 2 * 2**20
"""Bytes, for a Workspace and its ConfigMaps of up to 1 MiB each."""


def add_plans(app: FastAPI, client: Client) -> None:
    """Adds both routes."""

    @app.post("/plan")
    async def plan(
        request: Request,
        region: Annotated[str, Query(max_length=64)] = "",
        provider: Annotated[Provider, Query()] = "aks",
    ) -> PlanReport:
        workspace, config_maps = _parts(await _body(request))
        return await asyncio.to_thread(_planned, workspace, region, provider, config_maps)

    @app.get("/workspaces/{namespace}/{name}/plan")
    async def recorded_plan(namespace: str, name: str) -> PlanReport:
        handle = client.get_workflow_handle(names.workflow_id(namespace, name))
        state = await handle.query(WorkspaceWorkflow.progress, rpc_timeout=RPC_TIMEOUT)
        if state.spec.report is None:
            raise HTTPException(404, f"Workspace {namespace}/{name} has not been planned yet")
        return state.spec.report


def _planned(
    workspace: dict[str, Any], region: str, provider: Provider, config_maps: dict[str, Any] | None
) -> PlanReport:
    """Returns the plan for a region, the default one if it is empty."""
    # Imported where it is used: with models, machines and rules 4 MiB, in a process that is seldom asked for a plan.
    from presets.plan.context import DEFAULT_REGION, PlanContext
    from presets.plan.judge import plan_document

    context = PlanContext(region=region or DEFAULT_REGION, provider=provider, config_maps=config_maps)
    return plan_document(workspace, context)


async def _body(request: Request) -> Any:
    """Parses a request's JSON. Raises HTTPException: 413 above BODY_LIMIT, 422 if it is not JSON."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > BODY_LIMIT:
            raise HTTPException(413, f"the request has more than {BODY_LIMIT} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"the request is not valid JSON: {error}") from None


def _parts(body: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Returns the Workspace, and the submitted ConfigMaps by name, None without any. Raises HTTPException 422."""
    items = body.get("items") if isinstance(body, dict) and "items" in body else [body]
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    workspaces = [item for item in found if item.get("kind") == labels.KIND]
    if len(workspaces) != 1:
        raise HTTPException(422, f"the request must hold exactly one {labels.KIND}, and holds {len(workspaces)}")
    config_maps = {_name(item): item for item in found if item.get("kind") == "ConfigMap"}
    return workspaces[0], config_maps or None


def _name(item: dict[str, Any]) -> str:
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
