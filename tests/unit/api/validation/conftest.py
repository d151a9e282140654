"""Workspaces to serve and to train, in either version, and changes of them by path."""

import copy
from typing import Any

import pytest

Obj = dict[str, Any]
V1ALPHA1, V1BETA1 = "kaito.sh/v1alpha1", "kaito.sh/v1beta1"

_SERVING: Obj = {
    "apiVersion": V1BETA1,
    "kind": "Workspace",
    "metadata": {"name": "phi", "namespace": "team-a", "annotations": {}},
    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi"}}},
    "inference": {"preset": {"name": "phi-4-mini-instruct"}},
}
_TUNING: Obj = {
    "apiVersion": V1BETA1,
    "kind": "Workspace",
    "metadata": {"name": "tune", "namespace": "team-a", "annotations": {}},
    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "tune"}}},
    "tuning": {
        "preset": {"name": "phi-3-mini-4k-instruct"},
        "method": "qlora",
        "input": {"name": "talks", "urls": ["https://data.example.com/talks.parquet"]},
        "output": {"image": "registry.example.com/adapters/talks:1", "imagePushSecret": "registry"},
    },
}
_OWN_NODES: Obj = {
    "apiVersion": V1BETA1,
    "kind": "Workspace",
    "metadata": {"name": "own", "namespace": "team-a", "annotations": {"modelyard.dev/node-provider": "byo"}},
    "resource": {"labelSelector": {"matchLabels": {"gpu": "a100"}}},
    "inference": {"preset": {"name": "phi-4-mini-instruct"}},
}
GONE = object()


class Builder:
    """`serving({"resource.count": 2})`: a valid Workspace with these paths set; GONE takes one out.

    A path step in brackets is one key whatever it holds: `metadata.annotations[kaito.sh/runtime]`.
    """

    gone = GONE

    def serving(self, changes: Obj | None = None, version: str = V1BETA1) -> Obj:
        return _changed(_SERVING, changes or {}, version)

    def tuning(self, changes: Obj | None = None, version: str = V1BETA1) -> Obj:
        return _changed(_TUNING, changes or {}, version)

    def own_nodes(self, changes: Obj | None = None, version: str = V1BETA1) -> Obj:
        return _changed(_OWN_NODES, changes or {}, version)


@pytest.fixture
def build() -> Builder:
    return Builder()


def _changed(base: Obj, changes: Obj, version: str) -> Obj:
    document = copy.deepcopy(base) | {"apiVersion": version}
    for path, value in changes.items():
        head, bracket, key = path.partition("[")
        *steps, last = [*head.split("."), key.rstrip("]")] if bracket else head.split(".")
        at = document
        for step in steps:
            at = at.setdefault(step, {})
        if value is GONE:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
    return document
