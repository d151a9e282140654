"""A template is read: admission and the plan refuse what cannot start, and nodes are counted by what it asks for."""

from typing import Any

import pytest

from api import labels
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document, problems_on_create, problems_on_update

A100, EIGHT_GPUS, CPUS = "Standard_NC24ads_A100_v4", "Standard_ND96isr_H100_v5", "Standard_D4s_v3"
SLICE = "nvidia.com/mig-2g.24gb"


def a_workspace(machine: str = A100, gpus: int = 0, *, spec: Any = (), **container: Any) -> dict[str, Any]:
    limits = {"resources": {"limits": {labels.GPU_RESOURCE: str(gpus)}}} if gpus else {}
    server: dict[str, Any] = {"name": "llm", "image": "registry.example.com/llm:1", "ports": [{"containerPort": 5000}]}
    server["readinessProbe"] = {"httpGet": {"path": "/", "port": 5000}}
    resource: dict[str, Any] = {"labelSelector": {"matchLabels": {"apps": "w"}}}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default"},
        "resource": resource | ({"instanceType": machine} if machine else {}),
        "inference": {"template": {"spec": {"containers": [server | limits | container]} | dict(spec)}},
    }


def planned(document: dict[str, Any], **context: Any) -> PlanReport:
    return plan_document(document, PlanContext(**context))


def test_a_template_without_gpus_may_have_a_machine_without_gpus() -> None:
    document = a_workspace(CPUS)
    plan = planned(document)
    assert (problems_on_create(document), plan.errors) == ([], ())
    assert plan.gpus_per_node == 0 and plan.price_per_hour == pytest.approx(0.192)


def test_a_preset_still_needs_gpus() -> None:
    document = a_workspace(CPUS) | {"inference": {"preset": {"name": "phi-4"}}}
    assert [problem.rule for problem in problems_on_create(document)] == ["C15"]
    assert [error.reason for error in planned(document).errors] == ["InstanceTypeUnknown"]


REFUSED = [
    pytest.param(a_workspace(A100, 8), "DoesNotFit", "8 GPUs, and Standard_NC24ads_A100_v4 has 1", id="8 GPUs of 1"),
    pytest.param(a_workspace("Standard_ND96isr_MI300X_v5", 1), "DoesNotFit", "AMD MI300X", id="another maker's"),
    pytest.param(a_workspace(resources={"requests": {"cpu": "25"}}), "DoesNotFit", "25 CPUs", id="CPUs"),
    pytest.param(a_workspace(resources={"requests": {"memory": "500Gi"}}), "DoesNotFit", "500.0 GiB", id="memory"),
    pytest.param(a_workspace(resources={"limits": {SLICE: 1}}), "DoesNotFit", "whole GPUs", id="a slice"),
    pytest.param(a_workspace(resources={"limits": {"cpu": "many"}}), "InvalidSpec", "no quantity", id="no quantity"),
    pytest.param(a_workspace(spec={"nodeName": "node-1"}), "InvalidSpec", "leave it out", id="a node of its own"),
]


@pytest.mark.parametrize(("document", "reason", "says"), REFUSED)
def test_what_cannot_start_is_refused_before_it_is_bought_with_one_text(
    document: dict[str, Any], reason: str, says: str
) -> None:
    [problem] = problems_on_create(document)
    [error] = planned(document).errors
    assert error.reason == reason and says in error.message
    assert (problem.message, problem.path) == (error.message, error.path)


def test_gpus_of_a_machine_without_any_are_refused_by_both() -> None:
    document = a_workspace(CPUS, 1)
    assert {problem.rule for problem in problems_on_create(document)} == {"C15", "M41"}
    assert {error.reason for error in planned(document).errors} == {"InstanceTypeUnknown", "DoesNotFit"}


def test_what_runs_already_may_be_changed_otherwise() -> None:
    old, new = a_workspace(A100, 8), a_workspace(A100, 8, image="registry.example.com/llm:2")
    assert problems_on_update(old, new) == []
    [problem] = problems_on_update(a_workspace(A100, 1), new)
    assert problem.rule == "M41"


@pytest.mark.parametrize(("machine", "gpus", "counted"), [(EIGHT_GPUS, 1, 8), (A100, 1, 1), (A100, 0, 0)])
def test_of_a_machine_that_is_bought_all_gpus_are_waited_for_if_any_is_used(
    machine: str, gpus: int, counted: int
) -> None:
    assert planned(a_workspace(machine, gpus)).gpus_per_node == counted


AMDS = "Standard_ND96isr_MI300X_v5"


@pytest.mark.parametrize(
    ("machine", "asked", "says"),
    [
        (A100, {"amd.com/gpu": 1}, f"asks for amd.com/gpu, and {A100} has 1 x NVIDIA A100"),
        (AMDS, {"amd.com/gpu": 8}, ""),
        (CPUS, {"gpu.intel.com/i915": 1}, "has no GPU"),
        (A100, {"amd.com/gpu": 0}, ""),
        (A100, {"ephemeral-storage": "2000Gi"}, "2000 GiB of ephemeral storage, and a node's disk has 2048"),
    ],
)
def test_what_no_such_node_will_ever_offer_is_not_bought(machine: str, asked: dict[str, Any], says: str) -> None:
    document = a_workspace(machine, resources={"limits": asked})
    found = problems_on_create(document)
    assert [problem.rule for problem in found] == ["M41"] * bool(says)
    assert all(says in problem.message for problem in found)
    assert [error.message for error in planned(document).errors] == [problem.message for problem in found]


@pytest.mark.parametrize(("asked", "disk"), [({}, 256), ({"ephemeral-storage": "400Gi"}, 525), ({"cpu": 1}, 256)])
def test_a_node_has_the_disk_that_its_template_asks_for(asked: dict[str, Any], disk: int) -> None:
    plan = planned(a_workspace(A100, resources={"limits": asked}))
    assert (plan.errors, plan.disk_gib) == ((), disk)


@pytest.mark.parametrize("gpus", [0, 1, 4])
def test_on_own_nodes_a_template_counts_what_it_asks_for(gpus: int) -> None:
    plan = planned(a_workspace("", gpus), provider="byo")
    assert (plan.errors, plan.gpus_per_node, plan.gpu_resource) == ((), gpus, labels.GPU_RESOURCE)


def test_on_own_nodes_a_template_may_ask_for_slices() -> None:
    plan = planned(a_workspace("", resources={"limits": {SLICE: 2}}), provider="byo")
    assert (plan.errors, plan.gpus_per_node, plan.gpu_resource) == ((), 2, SLICE)


@pytest.mark.parametrize(
    ("container", "says"),
    [
        pytest.param({}, [], id="all is said"),
        pytest.param({"ports": [{"containerPort": 8000}]}, ["sends to port 8000"], id="another port"),
        pytest.param({"ports": []}, ["no container declares a TCP port"], id="no port"),
        pytest.param({"readinessProbe": None}, ["ready when port 5000 takes connections"], id="no probe"),
    ],
)
def test_what_a_template_leaves_unsaid_is_said_by_the_plan(container: dict[str, Any], says: list[str]) -> None:
    warnings = [warning.message for warning in planned(a_workspace(**container)).warnings]
    assert len(warnings) == len(says) and all(text in found for text, found in zip(says, warnings, strict=True))
