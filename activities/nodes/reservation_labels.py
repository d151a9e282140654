"""Reserves GPUs of a node for a Workspace: two labels per Workspace on the Node, their value the number of GPUs.

One is the reservation, by which nodes are found. The other is the placement: pods select it, so they can only start
where their GPUs are counted, and no kubelet can set it (`placement.py`). Both come and go together; what an older
release reserved has the first alone. They are written with a test of the Node's resourceVersion, so that the sum that
was checked is the sum that is written: of two Workspaces that saw the same free GPU, the API server admits one. Pure
functions.
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


def is_placed(node: Object, uid: str, gpus: int) -> bool:
    """Whether pods of the Workspace that need so many GPUs may start there."""
    return (node["metadata"].get("labels") or {}).get(_keys(uid)[1]) == str(gpus)


def reserving(node: Object, uid: str, gpus: int) -> list[dict[str, Any]]:
    """Returns a JSON patch that fails with 422 if the Node has changed since it was read."""
    return [_as_read(node), *({"op": "add", "path": _path(key), "value": str(gpus)} for key in _keys(uid))]


def letting_go(node: Object, uid: str) -> list[dict[str, Any]]:
    """Returns a JSON patch that removes the reservation that was read, not a later one; fails with 422 otherwise."""
    return [_as_read(node), *releasing(node, uid)]


def releasing(node: Object, uid: str) -> list[dict[str, Any]]:
    """Returns a JSON patch that removes the reservation, as far as it was read, in any case; it fails with 422 if there
    is none."""
    there = node["metadata"].get("labels") or {}
    return [_removing(key) for key in _keys(uid) if key in there]


def undoing(uid: str) -> list[dict[str, Any]]:
    """Returns a JSON patch that removes what `reserving` has added."""
    return [_removing(key) for key in _keys(uid)]


def _as_read(node: Object) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": node["metadata"]["resourceVersion"]}


def _removing(key: str) -> dict[str, Any]:
    return {"op": "remove", "path": _path(key)}


def _keys(uid: str) -> tuple[str, str]:
    return reservation_label(uid), f"{labels.GPU_PLACEMENTS}/{uid}"


def _path(key: str) -> str:
    return "/metadata/labels/" + key.replace("/", "~1")
