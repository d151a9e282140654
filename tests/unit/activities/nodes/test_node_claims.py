"""NodeClaims as gpu-provisioner expects them, and what a claim that is there means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.nodes.karpenter import node_claim
from activities.nodes.karpenter.node_claim import NodeClass
from tests.builders import SKU, UID, a_key, a_plan
from tests.fakes.nodes import a_claim

POOL_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")


def test_a_claim_refers_to_the_node_class_that_the_user_names() -> None:
    plan = a_plan(node_class="image-family-azure-linux")
    claim = node_claim.node_claim(plan, "ws0", NodeClass(kind="AKSNodeClass", name="default"))
    assert claim["spec"]["nodeClassRef"]["name"] == "image-family-azure-linux"
    assert claim["spec"]["nodeClassRef"]["kind"] == "AKSNodeClass"


def test_a_claim_has_what_gpu_provisioner_reads() -> None:
    plan = a_plan(node_labels={"apps": "w", "kaito.sh/workspace": "somebody"}, image_family="azurelinux")
    claim = node_claim.node_claim(plan, "ws0", NodeClass())
    assert claim["apiVersion"] == "karpenter.sh/v1" and claim["kind"] == "NodeClaim"
    assert claim["metadata"] == {
        "name": "ws0",
        "labels": {
            "apps": "w",
            "karpenter.sh/nodepool": "kaito",
            "kaito.sh/workspace": "w",
            "kaito.sh/workspacenamespace": "default",
            "modelyard.dev/workspace-uid": UID,
        },
        "annotations": {"karpenter.sh/do-not-disrupt": "true", "kaito.sh/node-image-family": "azurelinux"},
    }
    spec = claim["spec"]
    assert spec["nodeClassRef"] == {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}
    assert spec["taints"] == [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]
    assert spec["resources"] == {"requests": {"storage": "137Gi"}}
    assert {one["key"]: (one["operator"], one["values"]) for one in spec["requirements"]} == {
        "karpenter.sh/nodepool": ("In", ["kaito"]),
        "node.kubernetes.io/instance-type": ("In", [SKU]),
        "kubernetes.io/os": ("In", ["linux"]),
        "karpenter.azure.com/sku-name": ("In", [SKU]),
    }


def test_a_claim_lives_until_it_is_released_and_no_disruption_budget_keeps_it_longer() -> None:
    spec = node_claim.node_claim(a_plan(), "ws0", NodeClass())["spec"]
    assert (spec["expireAfter"], spec["terminationGracePeriod"]) == ("Never", "10m")


@given(st.uuids(), st.integers(0, node_claim.NODES_MAX - 1))
def test_every_name_can_be_the_name_of_an_aks_pool(uid: object, index: int) -> None:
    assert POOL_NAME.fullmatch(node_claim.claim_name(str(uid), index))


def test_names_follow_from_uid_and_index_and_end_where_there_are_no_more() -> None:
    names = {node_claim.claim_name(UID, index) for index in range(node_claim.NODES_MAX)}
    assert len(names) == node_claim.NODES_MAX
    with pytest.raises(ValueError, match="100 NodeClaims"):
        node_claim.claim_name(UID, node_claim.NODES_MAX)


@pytest.mark.parametrize(
    ("claim", "ours"),
    [
        pytest.param(a_claim("a"), True, id="our uid"),
        pytest.param(a_claim("a", legacy=True), True, id="made by a controller before us"),
        pytest.param(a_claim("a", a_key(uid="other")), False, id="a namesake's"),
        pytest.param(a_claim("a", a_key(namespace="other")), False, id="another namespace"),
    ],
)
def test_whose_a_claim_is(claim: dict[str, object], ours: bool) -> None:
    assert node_claim.belongs_to(claim, a_key()) is ours


def test_a_node_labelled_by_hand_is_not_waited_for() -> None:
    node = a_claim("a", legacy=True)
    assert not node_claim.node_belongs_to(node, a_key())
    node["metadata"]["labels"]["karpenter.sh/nodepool"] = "kaito"
    assert node_claim.node_belongs_to(node, a_key())


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        pytest.param(a_claim("a"), "a is ready", id="ready"),
        pytest.param(a_claim("a", passed=0), "a is not Launched", id="new"),
        pytest.param(a_claim("a", deleting=True), "a is being deleted", id="deleting"),
        pytest.param(
            a_claim("a", passed=2, stuck={"reason": "NodeNotReady", "message": "kubelet starts"}),
            "a is not Initialized (NodeNotReady: kubelet starts)",
            id="joining",
        ),
    ],
)
def test_the_state_of_a_claim_is_described(claim: dict[str, object], words: str) -> None:
    assert node_claim.state_of(claim) == words
