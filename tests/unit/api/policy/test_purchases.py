"""What may be bought: by itself, beside what the namespace has, and beside what all have."""

from typing import Any

import pytest

from api.policy.document import Policy
from api.policy.purchases import Purchase, has_amounts, refusal, refusals
from api.policy.reading import parse_policy

A100, H100 = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"
POLICY = parse_policy(
    """
    contact: the platform team
    installation: {nodes: 5, dollarsPerHour: 30}
    namespaces:
      - namespaces: [small]
        rules: {machineTypes: ["Standard_NC*_A100_v4"], nodes: 8, dollarsPerHour: 10, providers: [aks, byo]}
      - {namespaces: [spot], rules: {spotOnly: true}}
    """
)


def nodes(count: int = 1, **changes: Any) -> Purchase:
    given: dict[str, Any] = {
        "namespace": "small", "name": "mine", "provider": "aks", "machine": A100, "node_dollars": 3.673
    }  # fmt: skip
    return Purchase(**(given | {"nodes": count} | changes))


def what(policy: Policy, wanted: Purchase, *others: Purchase) -> list[str]:
    return [found.what for found in refusals(policy, wanted, others)]


def test_a_namespace_limited_to_ten_dollars_and_a100s_gets_no_h100() -> None:
    said = refusal(POLICY, nodes(machine=H100, node_dollars=6.98))
    assert "may buy Standard_NC*_A100_v4, not Standard_NC40ads_H100_v5" in said
    assert said.endswith("Ask the platform team")


def test_it_gets_no_third_node_at_once_nor_by_the_piece() -> None:
    assert what(POLICY, nodes(2)) == []
    assert what(POLICY, nodes(3)) == ["dollarsPerHour"]
    there = nodes(2, name="other")
    said = refusal(POLICY, nodes(), [there])
    assert "may have nodes for $10.00 an hour, has $7.35 (2 x Standard_NC24ads_A100_v4)" in said
    assert "1 x Standard_NC24ads_A100_v4 cost $3.67" in said


def test_what_others_have_counts_for_the_installation_only_and_is_not_told() -> None:
    there = nodes(4, namespace="secret-project", machine="Standard_ND96isr_H100_v5", node_dollars=1.0)
    assert what(POLICY, nodes(1), there) == []
    said = refusal(POLICY, nodes(2), [there])
    assert "all namespaces together may have 5 nodes at a time, has 4, and this asks for 2" in said
    assert "secret-project" not in said and "ND96isr" not in said


def test_a_machine_without_a_price_is_refused_where_money_is_limited() -> None:
    unknown = nodes(machine="Standard_NC96ads_A100_v4", node_dollars=None)
    assert "can be added to the policy's prices" in refusal(POLICY, unknown)
    unlimited = parse_policy("installation: {dollarsPerHour: unlimited}\ndefaults: {dollarsPerHour: unlimited}")
    assert refusal(unlimited, unknown) == ""


def test_spot_only_and_providers() -> None:
    assert what(POLICY, nodes(namespace="spot")) == ["spotOnly"]
    assert what(POLICY, nodes(namespace="spot", spot=True)) == []
    assert what(POLICY, nodes(provider="karpenter")) == ["providers"]


def test_own_nodes_cost_nothing_and_count() -> None:
    own = {"provider": "byo", "machine": "", "node_dollars": 0.0}
    assert what(POLICY, nodes(5, **own)) == []
    assert what(POLICY, nodes(9, **own)) == ["nodes", "nodes"]


def test_a_limit_is_met_to_the_cent() -> None:
    policy = parse_policy("defaults: {dollarsPerHour: 11.02}")
    assert refusal(policy, nodes(3, node_dollars=3.6733)) == ""
    assert refusal(policy, nodes(3, node_dollars=3.6767)) != ""


@pytest.mark.parametrize("machine", ["standard_nc24ads_a100_v4", "STANDARD_NC24ADS_A100_V4"])
def test_azure_varies_the_case_of_sizes(machine: str) -> None:
    assert what(POLICY, nodes(machine=machine)) == []


def test_amounts_matter_unless_both_are_unlimited() -> None:
    assert has_amounts(Policy(), "a")
    none = "{nodes: unlimited, dollarsPerHour: unlimited}"
    assert not has_amounts(parse_policy(f"installation: {none}\ndefaults: {none}"), "a")
    assert has_amounts(parse_policy(f"defaults: {none}"), "a")
