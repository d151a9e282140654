"""Reserves GPUs of a node for a Workspace: one label per Workspace on the Node, its value the number of GPUs.

The label is reservation and placement in one: pods select it, so they can only start where their GPUs are counted. A
reservation is written with a test of the Node's resourceVersion, so that the sum that was checked is the sum that is
written: of two Workspaces that saw the same free GPU, the API server admits one. Pure functions.
"""

from collections.abc import Mapping
from typing import Any

from activities.clients.kubernetes import Object
from api import labels

_PREFIX = f"{labels.GPU_RESERVATIONS}/"


def reservation_label(uid: str) -> str:
    """The label's key for the Workspace of this uid."""
    return _PREFIX + uid


def reservations_of(node: Object) -> dict[str, int]:
    """Reserved GPUs by uid. A value that is not a number was not written by us; it counts as one GPU."""
    found: Mapping[str, str] = node["metadata"].get("labels") or {}
    return {
        key.removeprefix(_PREFIX): int(value) if value.isdigit() else 1
        for key, value in found.items()
        if key.startswith(_PREFIX)
    }


def reserving(node: Object, uid: str, gpus: int) -> list[dict[str, Any]]:
    """Returns a JSON patch that fails with 422 if the Node has changed since it was read."""
    return [_as_read(node), {"op": "add", "path": _path(uid), "value": str(gpus)}]


def letting_go(node: Object, uid: str) -> list[dict[str, Any]]:
    """Returns a JSON patch that removes the reservation that was read, not a later one; fails with 422 otherwise."""
    return [_as_read(node), *releasing(uid)]


def releasing(uid: str) -> list[dict[str, Any]]:
    """Returns a JSON patch that removes the reservation in any case; it fails with 422 if there is none."""
    return [{"op": "remove", "path": _path(uid)}]


def _as_read(node: Object) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": node["metadata"]["resourceVersion"]}


def _path(uid: str) -> str:
    return "/metadata/labels/" + reservation_label(uid).replace("/", "~1")
