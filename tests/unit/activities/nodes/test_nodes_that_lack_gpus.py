"""Which nodes of a plan lack what its pods ask for, and what their author is told: of whole GPUs, and of MIG slices."""

from typing import Final

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.watch import Collection
from activities.nodes.readiness import shortfall, without_gpus
from api import labels
from tests.builders import a_plan
from tests.fakes.nodes import a_node

SLICE: Final = "nvidia.com/mig-1g.5gb"
OTHER_SLICE: Final = "nvidia.com/mig-2g.10gb"


def nodes(**offered: dict[str, int]) -> Collection:
    """Nodes by name that are Ready and offer these numbers by resource."""
    found = {name: a_node(name) for name in offered}
    for name, node in found.items():
        node["status"]["allocatable"] = {resource: str(number) for resource, number in offered[name].items()}
    return found


@pytest.mark.parametrize(
    ("resource", "a", "b", "without"),
    [
        pytest.param(SLICE, {SLICE: 2}, {SLICE: 2}, [], id="slices on both"),
        pytest.param(SLICE, {SLICE: 2}, {SLICE: 1}, ["b"], id="too few slices"),
        pytest.param(SLICE, {labels.GPU_RESOURCE: 8}, {SLICE: 2}, ["a"], id="whole GPUs are no slices"),
        pytest.param(SLICE, {SLICE: 2}, {OTHER_SLICE: 2}, ["b"], id="slices of another size"),
        pytest.param(labels.GPU_RESOURCE, {labels.GPU_RESOURCE: 2}, {SLICE: 2}, ["b"], id="slices are no whole GPUs"),
    ],
)
def test_a_node_lacks_what_the_plans_pods_ask_for(
    resource: str, a: dict[str, int], b: dict[str, int], without: list[str]
) -> None:
    plan = a_plan(node_count=2, gpus_per_node=2, gpu_resource=resource)
    assert without_gpus(nodes(a=a, b=b), plan) == without


def test_nodes_that_have_not_joined_come_before_slices_that_lack() -> None:
    assert without_gpus(nodes(a={}), a_plan(node_count=2, gpus_per_node=2, gpu_resource=SLICE)) == []


@pytest.mark.parametrize(("resource", "told"), [(labels.GPU_RESOURCE, "GPUs"), (SLICE, SLICE)], ids=["whole", "slices"])
def test_the_shortfall_names_what_was_counted(resource: str, told: str) -> None:
    plan = a_plan(node_count=1, gpus_per_node=2, gpu_resource=resource)
    error = shortfall(nodes(a={resource: 1}), plan)
    assert isinstance(error, ApplicationError) and error.type == "NodeWithoutGpu"
    assert f"the nodes offer {{'a': 1}} {told}, 2 each were expected" in error.message
