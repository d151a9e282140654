"""What the operator may write, who is bound by it, and what a mistake in it says."""

import pytest

from api.policy.document import VOLUMES, Policy
from api.policy.reading import PolicyInvalid, parse_policy


def test_nothing_written_is_the_default_policy() -> None:
    assert parse_policy("") == parse_policy("{}") == Policy()


def test_the_default_limits_nodes_and_money_and_keeps_pods_off_their_node() -> None:
    policy = Policy()
    rules = policy.rules_of("anybody")
    assert (rules.nodes, rules.dollars_per_hour) == (8, 100.0)
    assert (policy.installation.nodes, policy.installation.dollars_per_hour) == (32, 400.0)
    assert "hostPath" not in VOLUMES and "nfs" not in VOLUMES and rules.templates.privileges == ()
    assert not rules.remote_code


def test_a_later_override_goes_before_an_earlier_one_value_by_value() -> None:
    policy = parse_policy(
        """
        defaults: {nodes: 2, templates: {allowed: false, serviceAccounts: [models]}}
        namespaces:
          - {namespaces: ["team-*"], rules: {nodes: 4, dollarsPerHour: 10}}
          - {namespaces: [team-a], rules: {nodes: unlimited, templates: {allowed: true}}}
        """
    )
    a, b, other = (policy.rules_of(name) for name in ("team-a", "team-b", "other"))
    assert (a.nodes, a.dollars_per_hour, a.templates.allowed) == ("unlimited", 10, True)
    assert a.templates.service_accounts == ("models",), "what an override does not give stays"
    assert (b.nodes, b.dollars_per_hour, b.templates.allowed) == (4, 10, False)
    assert (other.nodes, other.dollars_per_hour) == (2, 100)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("defaults: {dollarPerHour: 5}", "defaults.dollarPerHour"),
        ("defaults: {nodes: '8'}", "defaults.nodes"),
        ("defaults: {nodes: 2.5}", "defaults.nodes"),
        ("defaults: {nodes: -1}", "defaults.nodes"),
        ("defaults: {dollarsPerHour: lots}", "defaults.dollarsPerHour"),
        ("defaults: {machineTypes: Standard_NC*}", "defaults.machineTypes"),
        ("defaults: {spotOnly: 1}", "defaults.spotOnly"),
        ("defaults: {providers: [gcp]}", "defaults.providers[0]"),
        ("defaults: {templates: {privileges: [root]}}", "defaults.templates.privileges[0]"),
        ("namespaces: [{rules: {nodes: 1}}]", "namespaces[0].namespaces"),
        ("namespaces: [{namespaces: []}]", "namespaces[0].namespaces"),
        ("namespaces: [{namespaces: [a], nodes: 1}]", "namespaces[0].nodes"),
        ("prices: {Standard_X: 0}", "prices.Standard_X"),
        ("installation: {spotOnly: true}", "installation.spotOnly"),
    ],
)
def test_a_mistake_is_refused_with_its_path(text: str, path: str) -> None:
    with pytest.raises(PolicyInvalid) as error:
        parse_policy(text)
    assert {found for found, _ in error.value.errors} == {path}


@pytest.mark.parametrize("text", ["- a", "a: [", "a: 1\na: 2", "!!python/object:os.system {}", "3"])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        parse_policy(text)
