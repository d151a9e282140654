"""Which nodes of a plan are missing, and which of those are gone for good."""

from activities.clients.watch import Collection
from activities.contract.nodes import NodesHeld
from activities.nodes.losses import is_going, missing_names
from tests.builders import a_plan
from tests.fakes.nodes import a_node

HELD = NodesHeld.of(a_plan(node_count=2), ["a", "b"])


def nodes(**ready: bool) -> Collection:
    return {name: a_node(name, ready=is_ready) for name, is_ready in ready.items()}


def test_nothing_is_missing_while_enough_are_ready() -> None:
    assert missing_names(nodes(a=True, b=True), HELD) == []


def test_a_node_that_is_not_ready_gone_or_without_gpu_is_missing() -> None:
    assert missing_names(nodes(a=True, b=False), HELD) == ["b"]
    assert missing_names(nodes(b=True), HELD) == ["a"]
    assert missing_names({}, HELD) == ["a", "b"]
    assert missing_names(nodes(a=True) | {"b": a_node("b", gpus=0)}, HELD) == ["b"]


def test_a_replacement_node_counts() -> None:
    assert missing_names(nodes(a=True, c=True), HELD) == []


def test_only_a_deleted_node_does_not_come_back() -> None:
    leaving = a_node("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert is_going(None) and is_going(leaving)
    assert not is_going(a_node("a", ready=False))
