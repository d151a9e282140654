"""How many nodes: the count of a preset is a hint, as KAITO has it; replicas have an annotation of their own."""

from typing import Any

import pytest

from api.resource.workspace import Workspace
from presets.plan.context import PlanContext
from presets.plan.judge import notes, plan_document, problems_on_create, problems_on_update
from tests.unit.presets.test_notes import a_workspace

REPLICAS = "modelyard.dev/replicas"
TEMPLATE = {"template": {"spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}}
BEFORE = {"plan": {"nodes": 2}}
"""Planned when the count of a preset was the number of replicas."""


@pytest.mark.parametrize(
    ("document", "nodes"),
    [
        pytest.param(a_workspace(), 1, id="nothing"),
        pytest.param(a_workspace(count=4), 1, id="KAITO's hint"),
        pytest.param(a_workspace({REPLICAS: "2"}, count=4), 2, id="replicas"),
        pytest.param(a_workspace(count=3) | {"inference": TEMPLATE}, 3, id="a template's count"),
        pytest.param(a_workspace({REPLICAS: "2"}) | {"inference": TEMPLATE}, 2, id="a template's replicas"),
        pytest.param(a_workspace(count=2) | {"status": BEFORE}, 2, id="planned before"),
        pytest.param(a_workspace({REPLICAS: "1"}, count=2) | {"status": BEFORE}, 1, id="said otherwise"),
        pytest.param(a_workspace(count=3) | {"status": BEFORE}, 1, id="planned for another count"),
    ],
)
def test_as_many_nodes_as_are_wanted(document: dict[str, Any], nodes: int) -> None:
    plan = plan_document(document, PlanContext())
    assert not plan.errors and (plan.nodes, plan.replicas) == (nodes, nodes)
    assert plan.price_per_hour == pytest.approx(nodes * 3.673)
    assert Workspace.parse(document).replicas == nodes


@pytest.mark.parametrize(
    ("preset", "machine", "count", "price"),
    [
        ("llama-3.1-8b-instruct", "Standard_NC96ads_A100_v4", 4, 14.692),
        ("falcon-7b", "Standard_NV36ads_A10_v5", 3, 3.2),
        ("falcon-7b", "Standard_NC24ads_A100_v4", 4, 3.673),
        ("qwen2.5-coder-32b-instruct", "Standard_NC24ads_A100_v4", 3, 3.673),
    ],
)
def test_of_what_fits_on_one_node_one_is_bought_whatever_the_hint(
    preset: str, machine: str, count: int, price: float
) -> None:
    """The cases of KAITO's estimator whose count is more than it takes."""
    inference = {"preset": {"name": preset, "presetOptions": {"modelAccessSecret": "token"}}}
    document = a_workspace(instanceType=machine, count=count) | {"inference": inference}
    assert problems_on_create(document) == []
    plan = plan_document(document, PlanContext())
    assert (plan.errors, plan.nodes) == ((), 1) and plan.price_per_hour == pytest.approx(price)
    assert plan.max_model_len and plan.max_model_len >= 2048
    assert "resource.count" in [note.path for note in notes(document)]


def test_a_workspace_that_runs_two_replicas_keeps_them_and_says_so() -> None:
    stored = a_workspace(count=2) | {"status": BEFORE}
    [note] = notes(stored)
    assert note.path == "resource.count" and "2 replicas, and they are kept" in note.message
    written = a_workspace({REPLICAS: "2"}, count=2) | {"status": BEFORE}
    assert problems_on_update(stored, written) == [] and notes(written) == []
    assert problems_on_update(stored, a_workspace(count=2)) == [], "a file has no status"
    [problem] = problems_on_update(stored, a_workspace({REPLICAS: "1"}, count=2))
    assert problem.rule == "M26"
