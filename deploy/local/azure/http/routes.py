"""ARM's REST routes for managed clusters, agent pools, operations, SKUs and usages.

Paths, headers and status codes are here; `service.py` carries out the requests."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from deploy.local.azure import errors
from deploy.local.azure.identity import API_PROVIDER, Identity
from deploy.local.azure.pools.shape import pool_resource
from deploy.local.azure.records import Operation
from deploy.local.azure.service import Preconditions, Service

SUBSCRIPTION = "/subscriptions/{subscription}"
CLUSTERS = SUBSCRIPTION + "/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters"
CLUSTER = CLUSTERS + "/{cluster}"
POOL = CLUSTER + "/agentPools/{name}"
LOCATION = SUBSCRIPTION + "/providers/Microsoft.ContainerService/locations/{location}"

IfMatch = Annotated[str | None, Header()]


def arm_router(service: Service) -> APIRouter:
    """Returns the routes over one service."""
    router = APIRouter()
    _add_reads(router, service)
    _add_pool_writes(router, service)
    _add_pool_actions(router, service)
    _add_power(router, service)
    _add_operations(router, service)
    return router


def _add_reads(router: APIRouter, service: Service) -> None:
    identity = service.identity

    @router.get(SUBSCRIPTION + "/providers/Microsoft.ContainerService/managedClusters")
    async def list_clusters(subscription: str) -> Any:
        _check_subscription(identity, subscription)
        return {"value": [service.cluster()]}

    @router.get(CLUSTERS)
    async def list_clusters_of_group(subscription: str, group: str) -> Any:
        _check_scope(identity, subscription, group, identity.cluster)
        return {"value": [service.cluster()]}

    @router.get(CLUSTER)
    async def get_cluster(subscription: str, group: str, cluster: str) -> Any:
        _check_scope(identity, subscription, group, cluster)
        return service.cluster()

    @router.get(CLUSTER + "/agentPools")
    async def list_pools(subscription: str, group: str, cluster: str) -> Any:
        _check_scope(identity, subscription, group, cluster)
        return {"value": service.pools()}

    @router.get(POOL)
    async def get_pool(subscription: str, group: str, cluster: str, name: str) -> Any:
        _check_scope(identity, subscription, group, cluster)
        return service.pool(name)

    @router.get(SUBSCRIPTION + "/providers/Microsoft.Compute/skus")
    async def list_skus(subscription: str, query: Annotated[str | None, Query(alias="$filter")] = None) -> Any:
        _check_subscription(identity, subscription)
        return {"value": service.skus(query)}

    @router.get(SUBSCRIPTION + "/providers/Microsoft.Compute/locations/{location}/usages")
    async def list_usages(subscription: str, location: str) -> Any:
        _check_subscription(identity, subscription)
        _check_location(identity, location)
        return {"value": service.usages()}


def _add_pool_writes(router: APIRouter, service: Service) -> None:
    identity = service.identity

    @router.put(POOL)
    async def put_pool(
        request: Request,
        subscription: str,
        group: str,
        cluster: str,
        name: str,
        if_match: IfMatch = None,
        if_none_match: IfMatch = None,
    ) -> Response:
        _check_scope(identity, subscription, group, cluster)
        asked = _properties(await request.json())
        operation, new = service.put_pool(name, asked, Preconditions(if_match, if_none_match))
        content = pool_resource(service.records.pools[name], service.records, identity)
        return JSONResponse(content, 201 if new else 200, _polling_headers(request, service, operation))

    @router.delete(POOL)
    async def delete_pool(
        request: Request,
        subscription: str,
        group: str,
        cluster: str,
        name: str,
        if_match: IfMatch = None,
        if_none_match: IfMatch = None,
        ignore_budgets: Annotated[bool, Query(alias="ignore-pod-disruption-budget")] = False,
    ) -> Response:
        _check_scope(identity, subscription, group, cluster)
        operation = service.delete_pool(name, Preconditions(if_match, if_none_match), ignore_budgets)
        return _accepted(request, service, operation)


def _add_pool_actions(router: APIRouter, service: Service) -> None:
    identity = service.identity

    @router.post(POOL + "/abort")
    async def abort(request: Request, subscription: str, group: str, cluster: str, name: str) -> Response:
        _check_scope(identity, subscription, group, cluster)
        return _accepted(request, service, service.abort(name))

    @router.post(POOL + "/deleteMachines")
    async def delete_machines(request: Request, subscription: str, group: str, cluster: str, name: str) -> Response:
        _check_scope(identity, subscription, group, cluster)
        body = await request.json()
        return _accepted(request, service, service.delete_machines(name, list(body.get("machineNames") or [])))


def _add_power(router: APIRouter, service: Service) -> None:
    identity = service.identity

    @router.post(CLUSTER + "/stop")
    async def stop(request: Request, subscription: str, group: str, cluster: str) -> Response:
        _check_scope(identity, subscription, group, cluster)
        return _accepted(request, service, service.stop_cluster())

    @router.post(CLUSTER + "/start")
    async def start(request: Request, subscription: str, group: str, cluster: str) -> Response:
        _check_scope(identity, subscription, group, cluster)
        return _accepted(request, service, service.start_cluster())


def _add_operations(router: APIRouter, service: Service) -> None:
    identity = service.identity

    @router.get(LOCATION + "/operations/{operation_id}")
    async def get_operation(subscription: str, location: str, operation_id: str) -> Response:
        _check_subscription(identity, subscription)
        _check_location(identity, location)
        operation = _known(service, operation_id)
        return JSONResponse(_operation_status(operation, identity), headers=_retry_after(service, operation))

    @router.get(LOCATION + "/operationresults/{operation_id}")
    async def get_operation_result(request: Request, subscription: str, location: str, operation_id: str) -> Response:
        _check_subscription(identity, subscription)
        _check_location(identity, location)
        operation = _known(service, operation_id)
        if operation.status == "InProgress":
            return _accepted(request, service, operation)
        if operation.error:
            raise errors.ArmError(400, operation.error)
        return Response(status_code=204)


def _properties(body: Any) -> dict[str, Any]:
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        message = "The request content was invalid: 'properties' is missing."
        raise errors.bad_request(message, code="InvalidRequestContent")
    return properties


def _accepted(request: Request, service: Service, operation: Operation | None) -> Response:
    if operation is None:
        return Response(status_code=204)
    result = _absolute(request, service.identity.operation_result_path(operation.id))
    return Response(status_code=202, headers=_polling_headers(request, service, operation) | {"Location": result})


def _polling_headers(request: Request, service: Service, operation: Operation) -> dict[str, str]:
    status = _absolute(request, service.identity.operation_path(operation.id))
    return {"Azure-AsyncOperation": status} | _retry_after(service, operation)


def _retry_after(service: Service, operation: Operation) -> dict[str, str]:
    seconds = service.records.settings.retry_after_seconds
    return {"Retry-After": str(seconds)} if seconds and operation.status == "InProgress" else {}


def _absolute(request: Request, path: str) -> str:
    """Returns the URL under which this client reached us; its host may differ from the one we listen on."""
    version = request.query_params.get("api-version", "")
    return f"{request.url.scheme}://{request.url.netloc}{path}?api-version={version}&t={int(time.time())}"


def _operation_status(operation: Operation, identity: Identity) -> dict[str, Any]:
    status: dict[str, Any] = {
        "id": identity.operation_path(operation.id),
        "name": operation.id,
        "status": operation.status,
        "startTime": _timestamp(operation.started_at),
    }
    if operation.ended_at is not None:
        status["endTime"] = _timestamp(operation.ended_at)
    if operation.status == "Canceled":
        message = "The operation was canceled by an abort request or a later operation."
        status["error"] = {"code": "Canceled", "message": message}
    if operation.error is not None:
        status["error"] = operation.error.flat()
    return status


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _known(service: Service, operation_id: str) -> Operation:
    operation = service.operation(operation_id)
    if operation is None:
        raise errors.front_end(404, "NotFound", f"The operation '{operation_id}' was not found.")
    return operation


def _check_scope(identity: Identity, subscription: str, group: str, cluster: str) -> None:
    _check_subscription(identity, subscription)
    if group.lower() != identity.group.lower():
        raise errors.front_end(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    if cluster.lower() != identity.cluster.lower():
        raise errors.cluster_not_found(group, cluster)


def _check_subscription(identity: Identity, subscription: str) -> None:
    if subscription.lower() != identity.subscription:
        message = f"The subscription '{subscription}' could not be found."
        raise errors.front_end(404, "SubscriptionNotFound", message)


def _check_location(identity: Identity, location: str) -> None:
    if location.lower() != identity.location:
        message = f"The provided location '{location}' is not available for resource type '{API_PROVIDER}'."
        raise errors.front_end(400, "LocationNotAvailableForResourceType", message)
