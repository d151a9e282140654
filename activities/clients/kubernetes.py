"""The Kubernetes API as this project uses it: objects are dictionaries, writes are server-side applies.

The kubernetes client does authentication, TLS and transport; content types are here and paths in `api_server/paths.py`,
because the generated methods neither accept apply patches for every kind nor return watch events as plain JSON. How
each request is sent is `api_server/requests.py`'s. Decides nothing.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import DELETED_LAST, path_of
from activities.clients.api_server.requests import REQUEST_TIMEOUT_S, ApiServer
from activities.clients.api_server.responses import parse_event
from activities.clients.api_server.transport import LARGEST_OBJECT, AnswerTooLarge, read_lines
from api.labels import FIELD_MANAGER

PAGE: Final = 500
LISTED_AGAIN: Final = 3
"""Times that a list begins again because its continue token has expired, which takes the API server minutes."""
EXPIRED: Final = 410
APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"

REQUEST_ERRORS: Final = (ApiException, aiohttp.ClientError, TimeoutError)
"""What a request raises: the API server refused it, cannot be reached, or did not answer in time."""

Object = dict[str, Any]


class Cluster(ApiServer):
    """A few verbs over the objects of one API server. Raises what requests raise: REQUEST_ERRORS."""

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
