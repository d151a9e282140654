"""A template is read: admission and the plan refuse what cannot start, and nodes are counted by what it asks for."""

from typing import Any

import pytest

from api import labels
from cli.plan_text import text_of
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import notes, plan_document, problems_on_create, problems_on_update

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


@pytest.mark.parametrize(
    ("asked", "disk"),
    [
        pytest.param({}, 256, id="nothing"),
        pytest.param({"requests": {"ephemeral-storage": "100Gi"}}, 256, id="less than there is"),
        pytest.param({"requests": {"ephemeral-storage": "400Gi"}}, 551, id="a request"),
        pytest.param({"limits": {"ephemeral-storage": "400Gi"}}, 551, id="a limit"),
    ],
)
def test_nodes_have_the_disk_that_a_template_asks_for(asked: dict[str, Any], disk: int) -> None:
    """The kubelet keeps a part of a disk, and images and logs are on it, too."""
    plan = planned(a_workspace(resources=asked))
    assert (plan.errors, plan.disk_gib) == ((), disk)


def test_another_makers_gpus_may_be_asked_of_a_machine_that_has_them() -> None:
    document = a_workspace("Standard_ND96isr_MI300X_v5", resources={"limits": {"amd.com/gpu": 8}})
    assert (problems_on_create(document), planned(document).errors) == ([], ())


@pytest.mark.parametrize("gpus", [0, 1])
def test_the_check_of_gpus_is_announced_where_it_is_made(gpus: int) -> None:
    announced = [line.partition(":")[0] for line in planned(a_workspace(A100, gpus)).preflight]
    assert ("GpusOffered" in announced) is bool(gpus)


def test_a_node_selector_that_the_machine_satisfies_is_taken() -> None:
    selector = {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": A100,
        "example.com/set-by-somebody": "later",
    }
    document = a_workspace(A100, 1, spec={"nodeSelector": selector})
    assert (problems_on_create(document), planned(document).errors) == ([], ())
    pools = a_workspace("", 1, spec={"nodeSelector": {"agentpool": "gpu"}})
    assert planned(pools, provider="byo").errors == (), "own nodes have pools"


def test_some_gpus_that_are_left_idle_are_said() -> None:
    [note] = notes(a_workspace(EIGHT_GPUS, 1))
    assert f"asks for 1 of the 8 GPUs of {EIGHT_GPUS}" in note.message
    assert notes(a_workspace(EIGHT_GPUS, 8)) == []


def test_gpus_that_are_paid_for_and_asked_for_by_nobody_are_said() -> None:
    plan = planned(a_workspace(A100, 0))
    assert f"1 x {A100} with NVIDIA A100, which no pod asks for\n" in text_of(plan)
    assert f"1 x {CPUS}\n" in text_of(planned(a_workspace(CPUS)))
    [note] = notes(a_workspace(A100, 0))
    assert note.path == "inference.template.spec.containers"
    assert "asks for no GPU, and Standard_NC24ads_A100_v4 has 1" in note.message
    assert note.message in [warning.message for warning in plan.warnings]
    assert notes(a_workspace(A100, 1)) == [] == notes(a_workspace(CPUS))


REFUSED = [
    pytest.param(a_workspace(A100, 8), "DoesNotFit", "8 GPUs, and Standard_NC24ads_A100_v4 has 1", id="8 GPUs of 1"),
    pytest.param(a_workspace("Standard_ND96isr_MI300X_v5", 1), "DoesNotFit", "AMD MI300X", id="another maker's"),
    pytest.param(a_workspace(resources={"requests": {"cpu": "25"}}), "DoesNotFit", "25 CPUs", id="CPUs"),
    pytest.param(a_workspace(resources={"requests": {"memory": "500Gi"}}), "DoesNotFit", "500.0 GiB", id="memory"),
    pytest.param(a_workspace(resources={"limits": {SLICE: 1}}), "DoesNotFit", "whole GPUs", id="a slice"),
    pytest.param(
        a_workspace(resources={"limits": {"amd.com/gpu": 1}}),
        "DoesNotFit",
        "amd.com/gpu, and Standard_NC24ads_A100_v4 has 1 x NVIDIA A100: ask for nvidia.com/gpu",
        id="AMD's",
    ),
    pytest.param(
        a_workspace(resources={"limits": {"gpu.intel.com/xe": 1}}), "DoesNotFit", "gpu.intel.com/xe", id="Intel's"
    ),
    pytest.param(
        a_workspace(resources={"requests": {"ephemeral-storage": "3Ti"}}),
        "DoesNotFit",
        "3072 GiB of ephemeral storage",
        id="disk",
    ),
    pytest.param(a_workspace(resources={"requests": {"cpu": "24"}}), "DoesNotFit", "24 CPUs", id="all CPUs"),
    pytest.param(a_workspace(resources={"requests": {"memory": "220Gi"}}), "DoesNotFit", "220.0 GiB", id="all memory"),
    pytest.param(
        a_workspace(spec={"nodeSelector": {"agentpool": "gpu"}}),
        "DoesNotFit",
        "nodes with agentpool=gpu, and those that are bought for it are pools of their own",
        id="a pool",
    ),
    pytest.param(
        a_workspace(spec={"nodeSelector": {"kubernetes.io/arch": "arm64"}}),
        "DoesNotFit",
        "nodes with kubernetes.io/arch=arm64, and Standard_NC24ads_A100_v4 has amd64",
        id="another processor",
    ),
    pytest.param(
        a_workspace(spec={"nodeSelector": {"node.kubernetes.io/instance-type": "Standard_NC6s_v3"}}),
        "DoesNotFit",
        "node.kubernetes.io/instance-type=Standard_NC6s_v3",
        id="another machine",
    ),
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
    warnings = [warning.message for warning in planned(a_workspace(CPUS, **container)).warnings]
    assert len(warnings) == len(says) and all(text in found for text, found in zip(says, warnings, strict=True))
