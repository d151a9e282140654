"""Nodes and Workspaces behind the verbs that reserving uses, one step at a time: every call stops before and after it
acts, so that a test decides who goes on, and who dies between an effect and its answer.

A patch is what the API server makes of it: all operations or none, 422 where a test fails, a new resourceVersion.
"""

import copy
from collections.abc import Callable, Generator
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Object

Keep = Callable[[Object], Object]


class _Turn:
    def __await__(self) -> Generator[None, None, None]:
        yield


class NodeCluster:
    """`Cluster`, as far as Nodes and Workspaces are listed and Nodes patched."""

    def __init__(self, *nodes: Object, workspaces: set[str]) -> None:
        self.nodes = {node["metadata"]["name"]: node for node in nodes}
        self.workspaces = workspaces

    async def list_all(
        self, kind: str, namespace: str | None = None, *, selector: str = "", keep: Keep = dict
    ) -> tuple[list[Object], str]:
        await _Turn()
        items = self._workspaces() if kind == "Workspace" else self._selected(selector)
        await _Turn()
        return [keep(item) for item in items], "0"

    async def patch(self, kind: str, name: str, namespace: str | None, operations: list[Object]) -> Object:
        await _Turn()
        node = copy.deepcopy(self.nodes[name])
        for operation in operations:
            carry_out(node, operation)
        node["metadata"]["resourceVersion"] = str(int(node["metadata"]["resourceVersion"]) + 1)
        self.nodes[name] = node
        await _Turn()
        return node

    def _workspaces(self) -> list[Object]:
        return [{"metadata": {"uid": uid}} for uid in sorted(self.workspaces)]

    def _selected(self, selector: str) -> list[Object]:
        return [copy.deepcopy(node) for node in self.nodes.values() if selector in node["metadata"]["labels"]]


def carry_out(body: Object, operation: Object) -> None:
    """One operation of a JSON patch. Raises ApiException 422 as the API server does."""
    *parents, last = [part.replace("~1", "/") for part in operation["path"].strip("/").split("/")]
    place: Any = body
    for parent in parents:
        place = place[parent]
    match operation["op"]:
        case "test":
            if place.get(last) != operation["value"]:
                raise ApiException(status=422, reason="the test of a JSON patch failed")
        case "add" | "replace":
            place[last] = operation["value"]
        case "remove":
            if last not in place:
                raise ApiException(status=422, reason="there is nothing to remove")
            del place[last]
