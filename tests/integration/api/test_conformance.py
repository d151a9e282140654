"""A real API server with the generated CRD and the models offline judge the same documents alike, in both versions.

Every field of the schema is given every kind of value, in a Workspace that has all fields. Only shapes are compared:
the API server has the CRD without its rules here.
"""

import copy
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from api.resource.crd import crd
from api.validation import limits
from api.validation.checks.schema import schema_problems
from api.validation.document import Draft
from deploy.local.cluster.owner_client import ClusterApiError, request
from deploy.local.layout import Layout
from tests.integration.api.test_no_version_loses_what_the_other_wrote import AUTHORED

pytestmark = pytest.mark.timeout(600)
Obj = dict[str, Any]
Path = tuple[str | int, ...]
VERSIONS = ("v1alpha1", "v1beta1")
VALUES: list[Any] = [
    "", "text", "1", "public", "mig", 0, 1, -1, 2, 1.0, 1.5, 2**31, 2**53 + 1, 2**63, 1e300, True, False, None,
    [], ["text"], [1], [None], [{}], [[]], {}, {"a": "b"}, {"a": 1}, {"a": None}, {"name": "n"}, {"mode": "mig"},
]  # fmt: skip
METADATA: list[Obj] = [
    {"labels": {"a": "b"}}, {"labels": {"a": 1}}, {"labels": ["a"]}, {"labels": None}, {"annotations": {"a": True}},
    {"annotations": {"a": None}}, {"annotations": "a"}, {"finalizers": "a.b/c"}, {"finalizers": ["a.b/c"]},
    {"name": 7}, {"name": None}, {"generateName": "g-", "name": None}, {"ownerReferences": "x"},
]  # fmt: skip


def _paths(schema: Obj, here: Path = ()) -> Iterator[Path]:
    for name, child in schema.get("properties", {}).items():
        if here or name in ("resource", "inference", "tuning"):
            yield (*here, name)
            yield from _paths(child, (*here, name))
    if "items" in schema:
        yield (*here, 0)
        yield from _paths(schema["items"], (*here, 0))
    if "additionalProperties" in schema:
        yield (*here, "example.com/key")


def _parent(document: Obj, path: Path) -> Any:
    """The map or list that holds the path's last step; what is missing on the way is made."""
    at: Any = document
    for step, after in pairwise(path):
        empty: Any = [None] if after == 0 else {}
        if isinstance(at, list):
            at[0] = at[0] or empty
        elif not at.get(step):
            at[step] = empty
        at = at[step]
    return at


def _with(path: Path, value: Any) -> Obj:
    document = copy.deepcopy(AUTHORED)
    _parent(document, path)[path[-1]] = value
    return document


def _without(path: Path) -> Obj:
    document = _with(path, None)
    del _parent(document, path)[path[-1]]
    return document


def _corpus() -> Iterator[tuple[str, Obj]]:
    schema = crd()["spec"]["versions"][1]["schema"]["openAPIV3Schema"]
    for path in _paths(schema):
        for value in VALUES:
            yield f"{path} = {value!r}", _with(path, value)
        yield f"{path} is gone", _without(path)
    for change in METADATA:
        yield f"metadata {change}", AUTHORED | {"metadata": AUTHORED["metadata"] | change}
    yield "another kind", AUTHORED | {"kind": "Workspce"}
    yield "nothing but a name", {key: AUTHORED[key] for key in ("apiVersion", "kind", "metadata")}


def _refused_offline(document: Obj) -> list[str]:
    """What the schema refuses. The server drops unknown fields, which the models report: see below."""
    if problem := limits.unreadable(document):
        return [str(problem)]
    return [str(found) for found in schema_problems(Draft(document)) if "not a known field" not in found.message]


def _refused_by_the_server(layout: Layout, version: str, document: Obj) -> str:
    path = f"/apis/kaito.sh/{version}/namespaces/default/workspaces?dryRun=All"
    try:
        request(layout, "POST", path, document, "application/json")
    except ClusterApiError as error:
        assert error.status in (400, 422), error
        return str(error)
    return ""


@pytest.fixture(scope="module", autouse=True)
def shapes_alone(only_shapes: Any) -> Iterator[None]:
    with only_shapes():
        yield


@pytest.mark.parametrize("version", VERSIONS)
def test_the_server_and_the_models_refuse_the_same(api_server: Layout, cluster_kubectl: Any, version: str) -> None:
    differences, refused, accepted = [], 0, 0
    for what, example in _corpus():
        document = example | {"apiVersion": f"kaito.sh/{version}"}
        server, offline = _refused_by_the_server(api_server, version, document), _refused_offline(document)
        if bool(server) != bool(offline):
            differences.append(f"{what}: server {server or 'accepts'}; offline {offline or 'accepts'}")
        refused, accepted = refused + bool(server), accepted + (not server)
    assert differences == [], "\n" + "\n".join(differences)
    assert refused > 500 and accepted > 200, "a corpus of one kind shows nothing"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_server_drops_silently_is_reported_offline(
    api_server: Layout, cluster_kubectl: Any, version: str
) -> None:
    """Servers before 1.25 cannot be asked to refuse unknown fields; kubectl, the webhook and `validate` do it."""
    schema = crd()["spec"]["versions"][1]["schema"]["openAPIV3Schema"]
    for path in [path for path in _paths(schema) if isinstance(_at(AUTHORED, path), dict)]:
        if path[-1] in ("matchLabels", "template", "volumeSource"):
            continue
        document = _with((*path, "unknown"), "x") | {"apiVersion": f"kaito.sh/{version}"}
        stored = request(api_server, "POST", f"/apis/kaito.sh/{version}/namespaces/default/workspaces?dryRun=All",
                         document, "application/json")  # fmt: skip
        assert "unknown" not in json.dumps(stored["resource"]) or path[0] != "resource"
        assert "unknown" not in _at(stored, path)
        assert any("not a known field" in problem.message for problem in schema_problems(Draft(document))), path


def _at(document: Obj, path: Path) -> Any:
    at: Any = document
    for step in path:
        if isinstance(at, dict):
            at = at.get(step)
        else:
            at = at[step] if isinstance(at, list) and isinstance(step, int) else None
    return at
