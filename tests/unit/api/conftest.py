"""Builders of Workspaces as JSON objects, and the example files."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "fixtures" / "workspaces"
Obj = dict[str, Any]

_WORKSPACE: Obj = {
    "apiVersion": "kaito.sh/v1beta1",
    "kind": "Workspace",
    "metadata": {"name": "phi", "namespace": "team-a", "uid": "0b1f2c3d-0000-4000-8000-000000000001", "generation": 3},
    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi"}}},
    "inference": {"preset": {"name": "phi-4-mini-instruct"}},
}


@pytest.fixture
def a_workspace() -> Callable[..., Obj]:
    """`a_workspace(inference={...}, resource=None)`: a v1beta1 Workspace; None leaves a section out."""

    def build(**sections: Any) -> Obj:
        merged = copy.deepcopy(_WORKSPACE) | sections
        return {key: value for key, value in merged.items() if value is not None}

    return build


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`valid_file` and `invalid_file` run a test once per example."""
    for kind in ("valid", "invalid"):
        if f"{kind}_file" in metafunc.fixturenames:
            files = sorted((EXAMPLES / kind).glob("*.yaml"))
            assert files, f"no {kind} examples in {EXAMPLES}"
            metafunc.parametrize(f"{kind}_file", files, ids=[file.stem for file in files])
