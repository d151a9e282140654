"""The control endpoint, which ARM does not have but tests need.

Faults, settings, operations that are due at once, the cluster's own state, the complete records, call counts."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from deploy.local.azure.faults import Fault
from deploy.local.azure.http.gate import Calls
from deploy.local.azure.records import Settings
from deploy.local.azure.service import Service


class ClusterChange(BaseModel):
    """The cluster's own state; omitted fields stay unchanged."""

    model_config = ConfigDict(extra="forbid")

    power_state: Literal["Running", "Stopped"] | None = None
    provisioning_state: Literal["Succeeded", "Failed", "Updating", "Upgrading", "Starting", "Stopping"] | None = None


def control_router(service: Service, calls: Calls) -> APIRouter:
    """Returns the routes below /_control over one service."""
    router = APIRouter(prefix="/_control")
    _add_faults(router, service)
    _add_state(router, service)

    @router.get("/calls")
    async def read_calls() -> Any:
        return {"calls": dict(calls.counts), "answers": dict(calls.statuses)}

    @router.delete("/calls", status_code=204)
    async def reset_calls() -> None:
        calls.reset()

    return router


def _add_faults(router: APIRouter, service: Service) -> None:
    @router.get("/faults")
    async def list_faults() -> Any:
        return {"faults": service.records.faults}

    @router.post("/faults", status_code=201)
    async def add_fault(fault: Fault) -> Fault:
        return service.add_fault(fault)

    @router.delete("/faults")
    async def clear_faults() -> Any:
        return {"cleared": service.clear_faults()}

    @router.delete("/faults/{fault_id}")
    async def clear_fault(fault_id: str) -> Any:
        cleared = service.clear_faults(fault_id)
        content = {"cleared": cleared} if cleared else {"detail": f"no fault {fault_id!r} is set"}
        return JSONResponse(content, 200 if cleared else 404)


def _add_state(router: APIRouter, service: Service) -> None:
    @router.get("/state")
    async def state() -> Any:
        return service.records

    @router.patch("/settings")
    async def change_settings(change: dict[str, Any]) -> Any:
        settings = Settings.model_validate(service.records.settings.model_dump() | change)
        service.records.settings = settings
        service.save()
        return settings

    @router.post("/cluster/stop", status_code=202)
    async def stop_cluster() -> Any:
        return service.stop_cluster()

    @router.post("/cluster/start", status_code=202)
    async def start_cluster() -> Any:
        return service.start_cluster()

    @router.post("/operations/hasten")
    async def hasten_operations() -> Any:
        return {"hastened": service.hasten_operations()}

    @router.patch("/cluster")
    async def change_cluster(change: ClusterChange) -> Any:
        for name, value in change.model_dump(exclude_none=True).items():
            setattr(service.records, name, value)
        service.save()
        return service.cluster()["properties"]
