from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.cluster import gateway_node
from deploy.local.layout import Layout
from deploy.local.network import nodes
from deploy.local.network.nodes import NodeSpec
from deploy.local.nodes import objects


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    return Layout.of("test")


def test_nodes_that_start_at_once_get_different_numbers(layout: Layout) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda index: nodes.claim(layout, NodeSpec(f"n-{index}")), range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_a_node_keeps_its_number_and_a_forgotten_one_is_given_again(layout: Layout) -> None:
    assert [nodes.claim(layout, NodeSpec(name)) for name in ("a", "b", "a")] == [1, 2, 1]
    nodes.forget(layout, "a")
    assert nodes.numbers(layout) == {"b": 2}
    assert nodes.claim(layout, NodeSpec("c")) == 1


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "../up", "-a", "a-", "a" * 64, "a b"])
def test_a_name_that_is_no_node_name_is_refused(layout: Layout, name: str) -> None:
    with pytest.raises(nodes.NodeFailed, match="not a node name"):
        nodes.claim(layout, NodeSpec(name))


def test_an_unknown_node_is_named_with_those_there_are(layout: Layout) -> None:
    nodes.claim(layout, NodeSpec("gpu-0"))
    with pytest.raises(nodes.NodeFailed, match="no local node 'gpu-9'; there are: gpu-0"):
        nodes.known_number_of(layout, "gpu-9")


def test_a_node_is_usable_when_ready_and_untainted() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert objects.is_usable({"status": ready})
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    assert not objects.is_usable({"spec": {"taints": [taint]}, "status": ready})
    assert not objects.is_usable({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})


def test_no_pod_may_be_placed_on_the_gateways_node(layout: Layout) -> None:
    found = gateway_node.gateway_node(layout)
    assert found["spec"]["unschedulable"] is True
    assert [taint["effect"] for taint in found["spec"]["taints"]] == ["NoExecute"]
    assert found["status"]["addresses"] == [{"type": "InternalIP", "address": str(layout.node_subnet[2])}]
