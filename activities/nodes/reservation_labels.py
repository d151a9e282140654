"""Reserves GPUs of a node for a Workspace: two labels per Workspace on the Node, their value the number of GPUs, and of
which slices they are with MIG's mixed strategy.

One is the reservation, by which nodes are found. The other is the placement: pods select it, so they can only start
where their GPUs are counted, and no kubelet can set it (`placement.py`). Both come and go together; what an older
release reserved has the first alone. They are written with a test of the Node's resourceVersion, so that the sum that
was checked is the sum that is written: of two Workspaces that saw the same free GPU, the API server admits one. Pure
functions.
"""

from collections.abc import Mapping
from typing import Any, Final

from activities.clients.kubernetes import Object
from api import labels

_PREFIX: Final = f"{labels.GPU_RESERVATIONS}/"
_VENDOR: Final = "nvidia.com/"
_BETWEEN: Final = "_"
"""Between a number and the slices that it counts, in values of labels: `2_mig-1g.10gb`."""


def reservation_label(uid: str) -> str:
    """The label's key for the Workspace of this uid."""
    return _PREFIX + uid


def amount(gpus: int, resource: str = labels.GPU_RESOURCE) -> str:
    """The labels' value: `2`, and for MIG slices `2_mig-1g.10gb`."""
    return f"{gpus}" if resource == labels.GPU_RESOURCE else f"{gpus}{_BETWEEN}{resource.removeprefix(_VENDOR)}"


def reservations_of(node: Object, resource: str = "") -> dict[str, int]:
    """Reserved GPUs by uid; with `resource`, only those of this one. A value that is not a number was not written by
    us; it counts as one whole GPU."""
    found: Mapping[str, str] = node["metadata"].get("labels") or {}
    held = {key.removeprefix(_PREFIX): _read(value) for key, value in found.items() if key.startswith(_PREFIX)}
    return {uid: gpus for uid, (gpus, of) in held.items() if resource in ("", of)}


def is_reserved(node: Object, uid: str, gpus: int, resource: str) -> bool:
    """Whether so many are reserved for the Workspace, and its pods may start there."""
    held = node["metadata"].get("labels") or {}
    return all(held.get(key) == amount(gpus, resource) for key in _keys(uid))


def reserving(node: Object, uid: str, gpus: int, resource: str = labels.GPU_RESOURCE) -> list[dict[str, Any]]:
    """Returns a JSON patch that fails with 422 if the Node has changed since it was read."""
    value = amount(gpus, resource)
    return [_as_read(node), *({"op": "add", "path": _path(key), "value": value} for key in _keys(uid))]


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


def _read(value: str) -> tuple[int, str]:
    number, between, slices = value.partition(_BETWEEN)
    return int(number) if number.isdigit() else 1, f"{_VENDOR}{slices}" if between else labels.GPU_RESOURCE


def _keys(uid: str) -> tuple[str, str]:
    return reservation_label(uid), f"{labels.GPU_PLACEMENTS}/{uid}"


def _path(key: str) -> str:
    return "/metadata/labels/" + key.replace("/", "~1")
