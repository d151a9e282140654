"""Requests to the cluster's API server in plain JSON, with the credentials of a kubeconfig.

Plain JSON, not the client's typed models: a Node object passes unchanged, whatever the server's version.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

REQUEST_S = 10.0
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"


class ClusterRefused(Exception):
    """The API server refused a request; `status` is its HTTP status."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"{method} {path}: {status}: {message}")
        self.status = status


class ClusterApi:
    """One cluster. Call `open` before the first request, in the event loop that makes the requests."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._client: Any = None

    async def open(self) -> None:
        settings = client.Configuration()
        # Ignores the user's proxy settings: a proxy cannot reach a cluster on this machine.
        settings.client_session_kwargs = {"trust_env": False}
        load: Any = config.load_kube_config
        await load(str(self._kubeconfig), client_configuration=settings, persist_config=False)
        self._client = client.ApiClient(settings)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def read(self, path: str, **query: str) -> dict[str, Any] | None:
        """Returns the object or list at a path, None if it does not exist. Raises ClusterRefused."""
        try:
            return await self.request("GET", path + (f"?{urlencode(query)}" if query else ""))
        except ClusterRefused as refused:
            if refused.status == 404:
                return None
            raise

    async def create(self, path: str, body: dict[str, Any]) -> bool:
        """Creates an object; returns False if one of that name exists. Raises ClusterRefused."""
        try:
            await self.request("POST", path, body)
        except ClusterRefused as refused:
            if refused.status == 409:
                return False
            raise
        return True

    async def merge(self, path: str, change: dict[str, Any]) -> bool:
        """Merge-patches an object; returns False if it does not exist. Raises ClusterRefused."""
        return await self._unless_gone("PATCH", path, change, MERGE_PATCH)

    async def patch_status(self, path: str, status: dict[str, Any]) -> bool:
        """Strategic-merge-patches an object's status; returns False if it does not exist. Raises ClusterRefused."""
        return await self._unless_gone("PATCH", f"{path}/status", {"status": status}, STRATEGIC_MERGE_PATCH)

    async def delete(self, path: str, options: dict[str, Any] | None = None) -> bool:
        """Deletes an object; returns False if it does not exist. Raises ClusterRefused."""
        return await self._unless_gone("DELETE", path, options or {}, "application/json")

    async def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Sends one request. Raises ClusterRefused, with status 0 if the server cannot be reached within REQUEST_S."""
        _, url, headers, *_ = await self._client.param_serialize(method, path, auth_settings=["BearerToken"])
        headers |= {"Accept": "application/json", "Content-Type": content_type}
        try:
            response = await self._client.call_api(method, url, headers, body, _request_timeout=REQUEST_S)
            content = await response.read()
        except ApiException as refused:
            raise ClusterRefused(method, path, refused.status or 0, str(refused.body or refused.reason)) from refused
        except (OSError, TimeoutError, aiohttp.ClientError) as lost:
            raise ClusterRefused(method, path, 0, f"{type(lost).__name__}: {lost}") from lost
        if response.status >= 400:
            raise ClusterRefused(method, path, response.status, content.decode(errors="replace")[:500])
        answer: dict[str, Any] = json.loads(content)
        return answer

    async def _unless_gone(self, method: str, path: str, body: dict[str, Any], content_type: str) -> bool:
        try:
            await self.request(method, path, body, content_type)
        except ClusterRefused as refused:
            if refused.status == 404:
                return False
            raise
        return True
