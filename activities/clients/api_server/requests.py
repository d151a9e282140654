"""Sends requests to one API server: how many at a time, for how long, and again where it was only starting.

Connections and their bounds are in `transport.py`, what an answer says in `responses.py`; which requests there are for
objects of a kind, `clients/kubernetes.py` knows.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, Self

from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client.exceptions import ApiException
from prometheus_client import Counter

from activities.clients.api_server.paths import kind_of
from activities.clients.api_server.responses import is_of_a_starting_server, parse_object, read_refusal
from activities.clients.api_server.transport import LARGEST_OBJECT, LARGEST_TEXT, guard, read_bounded

REQUEST_TIMEOUT_S: Final = 15.0
UNDER_WAY: Final = 50
"""Requests at a time that are answered at once: each needs a connection, and a crowd's would all be opened anew."""
SERVICE_WRITES: Final = 8
"""Creates and applies of Services at a time, beside those. From 1.33 on the API server gives out ClusterIPs one at a
time: of 50 writes at once on a slow one, up to 40 were not answered in time, of 8 each was (docs/performance.md)."""
STARTING: Final = 503

REQUESTS: Final = Counter(
    "modelyard_kubernetes_requests", "Requests sent to the Kubernetes API server", ["method", "resource"]
)


class ApiServer:
    """One API server. Raises kubernetes' ApiException, with status and body, for every error."""

    def __init__(self, api: kubernetes_client.ApiClient) -> None:
        guard(api)
        self.api = api
        self._slots = asyncio.Semaphore(UNDER_WAY)
        self._service_writes = asyncio.Semaphore(SERVICE_WRITES)

    @classmethod
    async def connect(cls, kubeconfig: str | None, *, direct: bool = False) -> Self:
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
    ) -> dict[str, Any]:
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
