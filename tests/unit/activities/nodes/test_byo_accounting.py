"""How many GPUs are free, which nodes are taken, and the sentence that says why there are too few."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.nodes.byo.gpu_accounting import blocked, gpu_pod, pick, shortage, uses_of
from activities.nodes.reservation_labels import amount, is_reserved, reservation_label, reservations_of, reserving
from activities.planning.byo_machine import machine_of
from api.pods.template import gpus_requested
from tests.builders import UID
from tests.fakes.nodes import a_node, a_pod

OTHER = "11111111-2222-4333-8444-555555555555"
GPU = "nvidia.com/gpu"
SMALL, LARGE = "nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.47gb"


def container(gpus: int | None, **more: str) -> dict[str, Any]:
    return {"resources": {"requests": {GPU: str(gpus)}} if gpus is not None else {}} | more


REQUESTS = [
    pytest.param({"containers": [container(1), container(2), container(None)]}, 3, id="containers add up"),
    pytest.param(
        {"containers": [container(1)], "initContainers": [container(4)]}, 4, id="an init container goes first"
    ),
    pytest.param({"containers": [container(2)], "initContainers": [container(1), container(2)]}, 2, id="one by one"),
    pytest.param(
        {"containers": [container(1)], "initContainers": [container(1, restartPolicy="Always"), container(2)]},
        3,
        id="a sidecar stays beside the init containers after it",
    ),
    pytest.param(
        {"containers": [container(1)], "initContainers": [container(2), container(1, restartPolicy="Always")]},
        2,
        id="a sidecar is not there before it starts",
    ),
    pytest.param({"containers": [container(1)], "overhead": {GPU: "1"}}, 2, id="overhead of the runtime class"),
    pytest.param({"containers": [{"resources": {"limits": {GPU: "2"}}}]}, 2, id="a limit alone is a request"),
    pytest.param({"containers": [container(0), {}]}, 0, id="none"),
]


@pytest.mark.parametrize(("spec", "gpus"), REQUESTS)
def test_a_pods_gpus_are_what_the_scheduler_counts(spec: dict[str, Any], gpus: int) -> None:
    assert gpus_requested(spec) == ({GPU: gpus} if gpus else {})


@pytest.mark.parametrize(
    ("pod", "holds"),
    [
        pytest.param(a_pod("p", "n"), True, id="running"),
        pytest.param(a_pod("p", "n", phase="Pending"), True, id="bound, not started"),
        pytest.param(a_pod("p", phase="Pending"), False, id="not bound"),
        pytest.param(a_pod("p", "n", phase="Succeeded"), False, id="done"),
        pytest.param(a_pod("p", "n", phase="Failed"), False, id="failed"),
        pytest.param(a_pod("p", "n", gpus=0), False, id="without GPU"),
        pytest.param(a_pod("p", "n") | {"status": {}}, True, id="bound a moment ago"),
    ],
)
def test_which_pods_hold_gpus(pod: dict[str, Any], holds: bool) -> None:
    assert (gpu_pod(pod) is not None) is holds


def free(node: dict[str, Any], *pods: dict[str, Any], uid: str = UID) -> int:
    return uses_of({"n": node}, filter(None, map(gpu_pod, pods)))[0].free_for(uid)


def test_free_gpus_are_neither_used_nor_reserved_by_others() -> None:
    assert free(a_node("n", gpus=8)) == 8
    assert free(a_node("n", gpus=8), a_pod("a", "n", gpus=2), a_pod("b", "elsewhere", gpus=2)) == 6
    reserved = a_node("n", gpus=8, labels={reservation_label(OTHER): "4"})
    assert free(reserved) == 4
    assert free(reserved, a_pod("a", "n", gpus=3, workspace=OTHER)) == 4, "counted within its reservation"
    assert free(reserved, a_pod("a", "n", gpus=6, workspace=OTHER)) == 2, "more than it reserved"
    assert free(reserved, uid=OTHER) == 8, "a Workspace may use its own reservation"


def test_a_pod_whose_reservation_is_gone_still_counts() -> None:
    assert free(a_node("n", gpus=2), a_pod("a", "n", gpus=1, workspace=OTHER)) == 1


def test_a_reservation_with_an_invalid_number_counts_as_one_gpu() -> None:
    assert free(a_node("n", gpus=2, labels={reservation_label(OTHER): "many"})) == 1


@pytest.mark.parametrize(
    ("node", "message"),
    [
        pytest.param(a_node("n"), "", id="fine"),
        pytest.param(a_node("n", ready=False), "is not Ready", id="not ready"),
        pytest.param(a_node("n", cordoned=True), "is cordoned", id="cordoned"),
        pytest.param(a_node("n", taints=[{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]), "", id="ours"),
        pytest.param(a_node("n", taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]), "", id="plugin's"),
        pytest.param(a_node("n", taints=[{"key": "x", "effect": "PreferNoSchedule"}]), "", id="a preference"),
        pytest.param(
            a_node("n", labels={"modelyard.dev/workspace-uid": OTHER, "apps": "the-victims"}),
            "was bought for a Workspace",
            id="an attacker's, with the labels that a victim selects",
        ),
        pytest.param(
            a_node("n", taints=[{"key": "team", "value": "b", "effect": "NoExecute"}]),
            "has the taint team=b:NoExecute",
            id="another's",
        ),
    ],
)
def test_a_node_where_our_pods_cannot_start_has_no_free_gpu(node: dict[str, Any], message: str) -> None:
    assert blocked(node) == message
    assert free(node) == (0 if message else 1)


def test_nodes_in_use_by_the_workspace_come_first_then_the_tightest_fit() -> None:
    nodes = {
        "large": a_node("large", gpus=8),
        "mine": a_node("mine", gpus=8, labels={reservation_label(UID): "1"}),
        "running": a_node("running", gpus=8),
        "small": a_node("small", gpus=1),
        "full": a_node("full", gpus=1, labels={reservation_label(OTHER): "1"}),
    }
    pod = gpu_pod(a_pod("p", "running", workspace=UID))
    assert pod is not None
    uses = uses_of(nodes, [pod])
    assert pick(uses, UID, gpus=1, count=9) == ["running", "mine", "small", "large"]
    assert pick(uses, UID, gpus=2, count=2) == ["running", "mine"]


def test_too_few_free_gpus_are_reported_by_node() -> None:
    nodes = {"gpu-1": a_node("gpu-1"), "gpu-2": a_node("gpu-2", labels={reservation_label(OTHER): "1"})}
    pod = gpu_pod(a_pod("other-pod", "gpu-1"))
    assert pod is not None
    assert shortage(uses_of(nodes, [pod]), UID, gpus=1, count=1, match_labels={"apps": "w"}) == (
        "0 of 2 matching nodes have a free GPU, 1 is needed: gpu-1 uses 1 of 1 (default/other-pod), "
        f"gpu-2 uses 1 of 1 (reserved for the Workspace with uid {OTHER})"
    )


def test_nodes_that_lack_something_else_are_reported_and_a_long_list_is_cut() -> None:
    nodes = {f"n-{i}": a_node(f"n-{i}", gpus=0) for i in range(9)} | {"a": a_node("a"), "b": a_node("b", ready=False)}
    message = shortage(uses_of(nodes, []), UID, gpus=1, count=2, match_labels={})
    assert message.startswith("1 of 11 matching nodes have a free GPU, 2 are needed: b is not Ready, n-0 offers no GPU")
    assert message.endswith("and 5 more")


def test_labels_that_no_node_has_are_reported_with_the_command() -> None:
    message = shortage([], UID, gpus=1, count=1, match_labels={"apps": "w", "team": "b"})
    assert message == "no node has the labels apps=w,team=b. Label one: kubectl label node NAME apps=w team=b"


@pytest.mark.parametrize(
    ("match_labels", "advice"),
    [
        ({"kubernetes.azure.com/agentpool": "gpu"},
         "See which there are: kubectl get nodes -L kubernetes.azure.com/agentpool"),
        ({"kubernetes.io/os": "linux", "nvidia.com/gpu.product": "Tesla-T4"},
         "See which there are: kubectl get nodes -L kubernetes.io/os,nvidia.com/gpu.product"),
        ({"apps": "w", "topology.kubernetes.io/zone": "eastus-1"},
         "Label one: kubectl label node NAME apps=w. "
         "See which there are: kubectl get nodes -L topology.kubernetes.io/zone"),
    ],
)  # fmt: skip
def test_nobody_is_told_to_write_labels_that_clusters_write(match_labels: dict[str, str], advice: str) -> None:
    message = shortage([], UID, gpus=1, count=1, match_labels=match_labels)
    assert message.endswith(f". {advice}") and message.count("kubectl label") == ("apps" in match_labels)
    with pytest.raises(ApplicationError) as planned:
        machine_of([], match_labels, "")
    assert planned.value.message.endswith(f". {advice}")


@given(st.integers(0, 8), st.dictionaries(st.sampled_from("abc"), st.integers(0, 8)), st.lists(st.integers(1, 8)))
def test_free_gpus_are_never_negative_and_never_more_than_offered(
    gpus: int, held: dict[str, int], pods: list[int]
) -> None:
    node = a_node("n", gpus=gpus, labels={reservation_label(uid): str(count) for uid, count in held.items()})
    assert 0 <= free(node, *(a_pod(f"p{i}", "n", gpus=count) for i, count in enumerate(pods)), uid="a") <= gpus


def sliced(name: str = "mig-1", **changes: Any) -> dict[str, Any]:
    """A node whose GPUs are divided by MIG's strategy `mixed`: it offers slices, and no whole GPU."""
    node = a_node(name, gpus=0, **changes)
    node["status"]["allocatable"] |= {SMALL: "4", LARGE: "1"}
    return node


def holding(resource: str, gpus: int, workspace: str = "") -> dict[str, Any]:
    pod = a_pod("p", "mig-1", gpus=0, workspace=workspace)
    pod["spec"]["containers"][0]["resources"] = {"limits": {resource: str(gpus)}}
    return pod


def test_slices_are_counted_by_their_size() -> None:
    nodes = {"mig-1": sliced(labels={reservation_label(OTHER): amount(1, SMALL)})}
    pods = [found for pod in (holding(SMALL, 2), holding(LARGE, 1)) if (found := gpu_pod(pod))]
    (small,), (large,) = (uses_of(nodes, pods, resource) for resource in (SMALL, LARGE))
    assert (small.offered, small.free_for(UID)) == (4, 1), "4 less 2 of a pod and 1 reserved"
    assert (large.offered, large.free_for(UID)) == (1, 0)
    assert pick([small], UID, gpus=1, count=1) == ["mig-1"] and pick([large], UID, gpus=1, count=1) == []


def test_a_reservation_says_of_which_slices_it_is() -> None:
    node = sliced()
    for operation in reserving(node, UID, 2, SMALL)[1:]:
        node["metadata"]["labels"][operation["path"].removeprefix("/metadata/labels/").replace("~1", "/")] = operation[
            "value"
        ]
    assert reservations_of(node) == {UID: 2} == reservations_of(node, SMALL)
    assert reservations_of(node, LARGE) == {} == reservations_of(node, GPU)
    assert is_reserved(node, UID, 2, SMALL) and not is_reserved(node, UID, 2, GPU)


def test_missing_slices_are_reported_by_name() -> None:
    message = shortage(uses_of({"n": a_node("n")}, [], SMALL), UID, gpus=1, count=1, match_labels={}, resource=SMALL)
    assert message == (
        f"0 of 1 matching nodes have a free {SMALL}, 1 is needed: "
        f"n offers no {SMALL} (does the device plugin run there?)"
    )


def test_a_taint_named_after_the_slices_is_tolerated_by_those_who_ask_for_them() -> None:
    node = sliced(taints=[{"key": SMALL, "value": "true", "effect": "NoSchedule"}])
    assert blocked(node, SMALL) == "" and blocked(node).startswith("has the taint")


def test_who_asks_for_no_gpu_may_have_any_node_where_a_pod_can_start() -> None:
    nodes = {"cpu": a_node("cpu", gpus=0), "full": a_node("full", labels={reservation_label(OTHER): "1"})}
    nodes["away"] = a_node("away", ready=False)
    uses = uses_of(nodes, [])
    assert sorted(pick(uses, UID, gpus=0, count=9)) == ["cpu", "full"]
    message = shortage(uses, UID, gpus=0, count=3, match_labels={})
    assert message == "2 of 3 matching nodes can take its pods, 3 are needed: away is not Ready"
