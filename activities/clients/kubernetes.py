"""The Kubernetes API as this project uses it: objects are dictionaries, writes are server-side applies.

The kubernetes client does authentication, TLS and transport; content types are here and paths in `api_server/paths.py`,
because the generated methods neither accept apply patches for every kind nor return watch events as plain JSON. Decides
nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client.exceptions import ApiException
from prometheus_client import Counter

from activities.clients.api_server.paths import DELETED_LAST, kind_of, path_of
from activities.clients.api_server.responses import is_of_a_starting_server, parse_event, parse_object, read_refusal
from activities.clients.api_server.transport import (
    LARGEST_OBJECT,
    LARGEST_TEXT,
    AnswerTooLarge,
    guard,
    read_bounded,
    read_lines,
)
from api.labels import FIELD_MANAGER

REQUEST_TIMEOUT_S: Final = 15.0
PAGE: Final = 500
LISTED_AGAIN: Final = 3
"""Times that a list begins again because its continue token has expired, which takes the API server minutes."""
UNDER_WAY: Final = 50
"""Requests at a time that are answered at once: each needs a connection, and a crowd's would all be opened anew."""
SERVICE_WRITES: Final = 8
"""Creates and applies of Services at a time, beside those. From 1.33 on the API server gives out ClusterIPs one at a
time: of 50 writes at once on a slow one, up to 40 were not answered in time, of 8 each was (docs/performance.md)."""
STARTING: Final = 503
EXPIRED: Final = 410
APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"

REQUEST_ERRORS: Final = (ApiException, aiohttp.ClientError, TimeoutError)
"""What a request raises: the API server refused it, cannot be reached, or did not answer in time."""

Object = dict[str, Any]

REQUESTS: Final = Counter(
    "modelyard_kubernetes_requests", "Requests sent to the Kubernetes API server", ["method", "resource"]
)


class Cluster:
    """A few verbs over one API server. Raises kubernetes' ApiException, with status and body, for every error."""

    def __init__(self, api: kubernetes_client.ApiClient) -> None:
        guard(api)
        self.api = api
        self._slots = asyncio.Semaphore(UNDER_WAY)
        self._service_writes = asyncio.Semaphore(SERVICE_WRITES)

    @classmethod
    async def connect(cls, kubeconfig: str | None, *, direct: bool = False) -> "Cluster":
        """Connects by a kubeconfig file, or as the pod's own service account if `kubeconfig` is None.

        `direct` ignores the environment's proxy: none can reach an API server on this machine.
        """
        configuration = kubernetes_client.Configuration()
        if direct:
            configuration.client_session_kwargs = {"trust_env": False}
        configuration.connection_pool_maxsize = 0  # aiohttp: no limit; watches and completions hold theirs for long
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
        self,
        kind: str,
        namespace: str | None = None,
        *,
        selector: str = "",
        fields: str = "",
        keep: Callable[[Object], Object | None] | None = None,
    ) -> tuple[list[Object], str]:
        """Returns all objects that the label and field selectors match, page by page, and the resourceVersion to watch
        from. With `keep`, returns what it returns of each object, and no more than a page is held whole.

        If the continue token has expired, begins again, some times. A page that is too long is asked for with half as
        many objects: no object, however long, keeps the others from being listed.
        """
        items: list[Object] = []
        selectors = {"labelSelector": selector, "fieldSelector": fields}
        chosen = {name: value for name, value in selectors.items() if value}
        query, size, expired = chosen, PAGE, 0
        while True:
            try:
                page = await self.request("GET", path_of(kind, namespace), query=query | {"limit": str(size)})
            except ApiException as error:
                expired += 1
                if error.status != EXPIRED or "continue" not in query or expired > LISTED_AGAIN:
                    raise
                items, query = [], chosen
                continue
            except AnswerTooLarge:
                if size == 1:
                    raise
                size //= 2
                continue
            found = page.get("items") or []
            items += found if keep is None else [kept for item in found if (kept := keep(item)) is not None]
            token = page["metadata"].get("continue")
            if not token:
                return items, page["metadata"]["resourceVersion"]
            query = query | {"continue": token}

    async def apply(self, kind: str, body: Object, *, subresource: str = "", manager: str = FIELD_MANAGER) -> Object:
        """Server-side apply of the fields that `manager` owns; takes over fields that another manager owns."""
        metadata = body["metadata"]
        path = path_of(kind, metadata.get("namespace"), metadata["name"]) + (f"/{subresource}" if subresource else "")
        query = {"fieldManager": manager, "force": "true"}
        return await self.request("PATCH", path, query=query, body=body, content_type=APPLY)

    async def create(self, kind: str, body: Object, *, manager: str = "") -> Object:
        """Creates the object; `manager` owns its fields. Raises ApiException 409 if it exists."""
        query = {"fieldManager": manager} if manager else None
        return await self.request("POST", path_of(kind, body["metadata"].get("namespace")), query=query, body=body)

    async def patch(self, kind: str, name: str, namespace: str | None, operations: list[Object]) -> Object:
        """Applies a JSON patch; with a `test` operation it fails with 422 instead of overwriting an unseen change."""
        path = path_of(kind, namespace, name)
        return await self.request("PATCH", path, body=operations, content_type=JSON_PATCH)

    async def merge(
        self, kind: str, name: str, namespace: str | None, change: Object, *, subresource: str = ""
    ) -> bool:
        """Applies a JSON merge patch. Returns False if the object does not exist."""
        path = path_of(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        try:
            await self.request("PATCH", path, body=change, content_type=MERGE_PATCH)
        except ApiException as error:
            if error.status == 404:
                return False
            raise
        return True

    async def delete(
        self, kind: str, name: str, namespace: str | None = None, *, uid: str = "", grace_s: int | None = None
    ) -> bool:
        """Deletes the object, a Job after its pods, others before what they own (DELETED_LAST); what does not exist is
        gone. Returns False if the object has another UID, which leaves it alone. `grace_s` replaces the grace period of
        a pod."""
        body: Object = {"propagationPolicy": "Foreground" if kind in DELETED_LAST else "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        try:
            await self.request("DELETE", path_of(kind, namespace, name), body=body)
        except ApiException as error:
            if error.status == 409 and uid:
                return False
            if error.status != 404:
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
            async for line in read_lines(response.response, LARGEST_OBJECT):
                if not line.endswith(b"\n"):
                    raise aiohttp.ClientPayloadError(f"a watch of {kind} broke off in the middle of an event")
                kind_of_event, item = parse_event(line)
                if kind_of_event == "ERROR":
                    raise ApiException(status=item.get("code", 0), reason=item.get("message"))
                yield kind_of_event, item
        finally:
            response.response.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        timeout_s: float = REQUEST_TIMEOUT_S,
        impersonate: str = "",
        most: int = LARGEST_OBJECT,
    ) -> Object:
        """Sends one request, as the user `impersonate` if one is given, and returns its JSON response. Raises
        ApiException for a status above 299, and aiohttp.ClientError also for a response that is not a JSON object or
        has more than `most` bytes."""
        async with self._place(method, path, timeout_s):
            response = await self._send(
                method,
                path,
                query=query,
                body=body,
                content_type=content_type,
                timeout_s=timeout_s,
                impersonate=impersonate,
            )
            return parse_object(await read_bounded(response.response, most) or b"{}")

    async def read_text(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        impersonate: str = "",
        most: int = LARGEST_TEXT,
    ) -> str:
        """Reads what is no object, such as a log, as the user `impersonate` if one is given; what is not UTF-8 is
        replaced. Raises ApiException for a status above 299, and aiohttp.ClientError."""
        async with self._place("GET", path, timeout_s):
            response = await self._send("GET", path, query=query, timeout_s=timeout_s, impersonate=impersonate)
            return (await read_bounded(response.response, most)).decode(errors="replace")

    def _place(self, method: str, path: str, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """A place among the requests under way; the time spent waiting for it is none of the request's."""
        if timeout_s > REQUEST_TIMEOUT_S:
            return nullcontext()
        if method in ("POST", "PATCH") and kind_of(path) == "services":
            return self._service_writes
        return self._slots

    async def _send(self, method: str, path: str, **request: Any) -> Any:
        """Returns the response if its status is below 300.

        A starting API server answers 403 until its RBAC roles are loaded, and 404 for the paths of custom resources
        until those are. Such a response counts only if the server repeats it once it is ready.
        """
        response = await self._call(method, path, **request)
        refusal = await read_refusal(response)
        if refusal is not None and is_of_a_starting_server(refusal):
            ready = await read_refusal(await self._call("GET", "/readyz"))
            if ready is not None:
                raise ApiException(status=STARTING, reason="the API server is starting", body=refusal.body)
            response = await self._call(method, path, **request)
            refusal = await read_refusal(response)
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
        impersonate: str = "",
    ) -> Any:
        REQUESTS.labels(method if not (query or {}).get("watch") else "WATCH", kind_of(path)).inc()
        request = await self.api.param_serialize(
            method=method,
            resource_path=path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type}
            | ({"Impersonate-User": impersonate} if impersonate else {}),
            body=body,
            auth_settings=["BearerToken"],
        )
        return await self.api.call_api(*request, _request_timeout=timeout_s)
