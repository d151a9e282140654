"""A node says whose it is, and pods do not believe it: only the worker's own label decides where they start."""

from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.plan import Deadlines, Plan
from activities.manifests.serving import placed
from activities.nodes.placement import place
from activities.nodes.readiness import Nodes
from api import labels, names
from api.validation.checks.selectors import LABEL_MAX
from tests.builders import UID, a_plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.nodes import a_node
from tests.integration.nodes.attempts import done, refused
from workflows.steps.fallbacks import same_nodes

OWN = f"aks-{names.pool_name(UID)}-12345678-vmss000000"
ATTACKERS = f"aks-{names.pool_name('attacker')}-12345678-vmss000000"
SAYS = labels.node_ownership("default", "w", UID)


def the_plan(**changes: Any) -> Plan:
    return a_plan(placed=True, **changes)


async def placements(cluster: Any) -> dict[str, str]:
    nodes, _ = await cluster.list_all("Node")
    found = ((node["metadata"]["name"], node["metadata"]["labels"].get(labels.PLACEMENT)) for node in nodes)
    return {name: value for name, value in found if value}


async def test_a_kubelet_that_labels_its_own_node_draws_no_pod_of_a_victim() -> None:
    cluster = FakeCluster(Node=[a_node(ATTACKERS, labels=SAYS), a_node(OWN, labels=SAYS)])
    assert (await done(Nodes(ClusterView(cluster)).wait_for_nodes, the_plan())).names == [OWN]
    assert await placements(cluster) == {OWN: UID}
    selector = placed(the_plan(), {})["nodeSelector"]
    assert selector == {labels.PLACEMENT: UID}


async def test_a_forged_node_alone_is_no_node() -> None:
    cluster = FakeCluster(Node=[a_node(ATTACKERS, labels=SAYS)])
    error = await refused(Nodes(ClusterView(cluster)).wait_for_nodes, the_plan(deadlines=Deadlines(nodes=1)))
    assert "0 of 1 nodes of pool" in error.message and await placements(cluster) == {}


@pytest.mark.parametrize("provider", ["karpenter", "byo"])
async def test_only_claims_and_reservations_place_on_nodes_of_other_providers(provider: Any) -> None:
    cluster: Any = FakeCluster(Node=[a_node(OWN, labels=SAYS)])
    await place(cluster, (await cluster.list_all("Node"))[0], UID, provider)
    assert await placements(cluster) == {}


async def test_a_plan_of_an_older_release_keeps_its_pods_and_its_nodes() -> None:
    older, cluster = a_plan(), FakeCluster(Node=[a_node("any", labels=SAYS)])
    assert placed(older, {})["nodeSelector"] == {labels.WORKSPACE_UID: UID}
    assert (await done(Nodes(ClusterView(cluster)).wait_for_nodes, older)).names == ["any"]
    assert not same_nodes(older, the_plan()), "an edit has its nodes looked at once more before new pods ask for them"


@pytest.mark.parametrize("key", [labels.PLACEMENT, f"{labels.GPU_PLACEMENTS}/{UID}"])
def test_no_kubelet_may_set_the_label_and_no_tenant_may_ask_for_it(key: str) -> None:
    domain, _, name = key.partition("/")
    assert domain.endswith(".node-restriction.kubernetes.io") and len(name) <= LABEL_MAX
    assert labels.forbidden_on_nodes(key)


def test_pods_on_own_nodes_select_what_reserving_wrote() -> None:
    plan = the_plan(provider="byo", gpus_per_node=2)
    assert placed(plan, {})["nodeSelector"] == {f"{labels.GPU_PLACEMENTS}/{UID}": "2"}
    forging: Object = {"nodeSelector": {f"{labels.GPU_PLACEMENTS}/{UID}": "1"}}
    assert placed(plan, forging)["nodeSelector"] == {f"{labels.GPU_PLACEMENTS}/{UID}": "2"}
