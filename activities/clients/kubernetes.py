"""The Kubernetes API as this project uses it: objects are dictionaries, writes are server-side applies.

The kubernetes client does authentication, TLS and transport; paths and content types are here, because the generated
methods neither accept apply patches for every kind nor return watch events as plain JSON. Decides nothing.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client.exceptions import ApiException
from prometheus_client import Counter

from api.labels import FIELD_MANAGER

REQUEST_TIMEOUT_S: Final = 15.0
PAGE: Final = 500
STARTING: Final = 503
EXPIRED: Final = 410

Object = dict[str, Any]

REQUESTS: Final = Counter(
    "modelyard_kubernetes_requests", "Requests sent to the Kubernetes API server", ["method", "resource"]
)

PATHS: Final[Mapping[str, str]] = {
    "Workspace": "/apis/kaito.sh/v1beta1/{scope}workspaces",
    "Deployment": "/apis/apps/v1/{scope}deployments",
    "StatefulSet": "/apis/apps/v1/{scope}statefulsets",
    "Job": "/apis/batch/v1/{scope}jobs",
    "PodDisruptionBudget": "/apis/policy/v1/{scope}poddisruptionbudgets",
    "PodDisruptionBudget/v1beta1": "/apis/policy/v1beta1/{scope}poddisruptionbudgets",
    "PersistentVolumeClaim": "/api/v1/{scope}persistentvolumeclaims",
    "Service": "/api/v1/{scope}services",
    "ConfigMap": "/api/v1/{scope}configmaps",
    "Secret": "/api/v1/{scope}secrets",
    "Pod": "/api/v1/{scope}pods",
    "Node": "/api/v1/nodes",
    "NodeClaim": "/apis/karpenter.sh/v1/nodeclaims",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "Lease": "/apis/coordination.k8s.io/v1/{scope}leases",
    "Event": "/api/v1/{scope}events",
}

WITH_PODS: Final = ("Deployment", "StatefulSet", "Job")
"""Kinds that are deleted in the foreground, so that they create no more pods meanwhile. Foreground deletion of other
kinds would only load the garbage collector, which deletes about twenty objects a second."""


class Cluster:
    """A few verbs over one API server. Raises kubernetes' ApiException, with status and body, for every error."""

    def __init__(self, api: kubernetes_client.ApiClient) -> None:
        self.api = api

    @classmethod
    async def connect(cls, kubeconfig: str | None) -> "Cluster":
        """Connects by a kubeconfig file, or as the pod's own service account if `kubeconfig` is None."""
        configuration = kubernetes_client.Configuration()
        configuration.connection_pool_maxsize = 0  # aiohttp: no limit; every wait holds one watch open
        load: Any = kubernetes_config  # its functions carry no types
        if kubeconfig:
            await load.load_kube_config(kubeconfig, client_configuration=configuration)
        else:
            load.load_incluster_config(client_configuration=configuration)
        return cls(kubernetes_client.ApiClient(configuration))

    async def close(self) -> None:
        """Closes every connection, open watches included."""
        close: Any = self.api.close
        await close()

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Returns the object, or None if it does not exist."""
        try:
            return await self.request("GET", path_of(kind, namespace, name))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    async def list_all(
        self, kind: str, namespace: str | None = None, *, selector: str = ""
    ) -> tuple[list[Object], str]:
        """Returns all objects, page by page, and the resourceVersion to watch from.

        If the continue token has expired, lists everything again in one response, as client-go does.
        """
        items: list[Object] = []
        chosen = {"labelSelector": selector} if selector else {}
        query = {"limit": str(PAGE)} | chosen
        while True:
            try:
                page = await self.request("GET", path_of(kind, namespace), query=query)
            except ApiException as error:
                if error.status != EXPIRED or "continue" not in query:
                    raise
                items, query = [], chosen
                continue
            items += page.get("items") or []
            token = page["metadata"].get("continue")
            if not token:
                return items, page["metadata"]["resourceVersion"]
            query = query | {"continue": token}

    async def apply(self, kind: str, body: Object, *, subresource: str = "", manager: str = FIELD_MANAGER) -> Object:
        """Server-side apply of the fields that `manager` owns; takes over fields that another manager owns."""
        metadata = body["metadata"]
        path = path_of(kind, metadata.get("namespace"), metadata["name"]) + (f"/{subresource}" if subresource else "")
        query = {"fieldManager": manager, "force": "true"}
        return await self.request("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml")

    async def create(self, kind: str, body: Object) -> Object:
        """Creates the object. Raises ApiException 409 if it exists."""
        return await self.request("POST", path_of(kind, body["metadata"].get("namespace")), body=body)

    async def patch(self, kind: str, name: str, namespace: str | None, operations: list[Object]) -> Object:
        """Applies a JSON patch; with a `test` operation it fails with 422 instead of overwriting an unseen change."""
        path = path_of(kind, namespace, name)
        return await self.request("PATCH", path, body=operations, content_type="application/json-patch+json")

    async def delete(self, kind: str, name: str, namespace: str | None = None, *, uid: str = "") -> bool:
        """Deletes the object, kinds with pods in the foreground. Returns False if it does not exist or has another
        UID."""
        policy = "Foreground" if kind in WITH_PODS else "Background"
        body: Object = {"propagationPolicy": policy} | ({"preconditions": {"uid": uid}} if uid else {})
        try:
            await self.request("DELETE", path_of(kind, namespace, name), body=body)
        except ApiException as error:
            if error.status == 404 or (error.status == 409 and uid):
                return False
            raise
        return True

    async def watch(
        self, kind: str, namespace: str | None = None, *, selector: str = "", since: str, seconds: int
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yields (type, object) for every change after resourceVersion `since`, bookmarks included, for `seconds`.

        Raises ApiException 410 if `since` is too old to continue from: list again. Raises aiohttp.ClientError if the
        connection is lost, also in the middle of an event, or if something but the API server answers.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(seconds),
        }
        if selector:
            query["labelSelector"] = selector
        response = await self._send("GET", path_of(kind, namespace), query=query, timeout_s=seconds + REQUEST_TIMEOUT_S)
        try:
            while line := await response.response.content.readline():
                if not line.endswith(b"\n"):
                    raise aiohttp.ClientPayloadError(f"a watch of {kind} broke off in the middle of an event")
                kind_of_event, item = _event(line)
                if kind_of_event == "ERROR":
                    raise ApiException(status=item.get("code", 0), reason=item.get("message"))
                yield kind_of_event, item
        finally:
            response.response.close()

    async def pod_log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> str:
        """Returns the last lines of a container's log."""
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        response = await self._send("GET", path_of("Pod", namespace, pod) + "/log", query=query)
        return (await response.read() or b"").decode(errors="replace")

    async def post_to_pod(
        self, namespace: str, pod: str, port: int, path: str, body: Object, timeout_s: float
    ) -> Object:
        """Sends an HTTP POST to a pod through the API server's proxy; works from outside the cluster network."""
        target = path_of("Pod", namespace, f"{pod}:{port}") + f"/proxy{path}"
        return await self.request("POST", target, body=body, timeout_s=timeout_s)

    async def get_from_pod(self, namespace: str, pod: str, port: int, path: str, timeout_s: float) -> Object:
        """Sends an HTTP GET to a pod through the same proxy and returns the JSON."""
        target = path_of("Pod", namespace, f"{pod}:{port}") + f"/proxy{path}"
        return await self.request("GET", target, timeout_s=timeout_s)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Object:
        """Sends one request and returns its JSON response. Raises ApiException for a status above 299, and
        aiohttp.ClientError also for a response that is not a JSON object."""
        response = await self._send(
            method, path, query=query, body=body, content_type=content_type, timeout_s=timeout_s
        )
        return _object(await response.read() or b"{}")

    async def _send(self, method: str, path: str, **request: Any) -> Any:
        """Returns the response if its status is below 300.

        A starting API server answers 403 until its RBAC roles are loaded, and 404 for the paths of custom resources
        until those are. Such a response counts only if the server repeats it once it is ready.
        """
        response = await self._call(method, path, **request)
        refusal = await _refusal(response)
        if refusal is not None and is_of_a_starting_server(refusal):
            ready = await _refusal(await self._call("GET", "/readyz"))
            if ready is not None:
                raise ApiException(status=STARTING, reason="the API server is starting", body=refusal.body)
            response = await self._call(method, path, **request)
            refusal = await _refusal(response)
        if refusal is not None:
            raise refusal
        return response

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Any:
        REQUESTS.labels(method if not (query or {}).get("watch") else "WATCH", kind_of(path)).inc()
        request = await self.api.param_serialize(
            method=method,
            resource_path=path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        return await self.api.call_api(*request, _request_timeout=timeout_s)


def kind_of(path: str) -> str:
    """Returns the plural and subresource of a path, as a metric label: never a name, to bound the cardinality."""
    parts = path.strip("/").split("/")
    if parts[0] not in ("api", "apis"):
        return parts[0]
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if not parts:
        return "versions"  # of a group: a discovery request
    parts = parts[2:] if parts[0] == "namespaces" and len(parts) > 2 else parts
    return "/".join([parts[0], *parts[2:3]])


def path_of(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """Returns the URL path of a kind's collection or of one object. Raises KeyError for a kind that is not in PATHS."""
    scope = f"namespaces/{namespace}/" if namespace else ""
    return PATHS[kind].format(scope=scope) + (f"/{name}" if name else "")


def is_of_a_starting_server(refusal: ApiException) -> bool:
    """Whether a server that has just started may answer a valid request like this: with 403, or 404 of the path itself.

    A 404 of an object is a Status whose details name the object.
    """
    return refusal.status == 403 or (refusal.status == 404 and not _names_an_object(refusal.body or ""))


def _names_an_object(body: str) -> bool:
    try:
        status = json.loads(body)
    except ValueError:
        return False
    return isinstance(status, dict) and bool((status.get("details") or {}).get("name"))


def _event(line: bytes) -> tuple[str, Object]:
    event = _object(line)
    kind, item = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(item, dict):
        raise aiohttp.ClientPayloadError("a watch has a line that is not an event")
    return kind, item


def _object(text: bytes) -> Object:
    """Parses what an API server sends. What is between it and us may send another text with the status 200."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise aiohttp.ClientPayloadError("the response is not a JSON object")
    return found


async def _refusal(response: Any) -> ApiException | None:
    if response.status <= 299:
        return None
    body = (await response.read() or b"").decode(errors="replace")
    return ApiException(status=response.status, reason=response.reason, body=body)
