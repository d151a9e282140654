"""The provider `karpenter` against a real API server and something that behaves as gpu-provisioner and Karpenter do."""

import asyncio
from datetime import timedelta
from typing import Any

from activities.clients.kubernetes import Cluster
from activities.contract.nodes import PoolKey
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.nodes.karpenter.node_claim import claim_name
from activities.nodes.karpenter.provider import NodeClaims
from testing.deadlines import PATIENCE_S
from tests.builders import SKU, a_key, a_plan
from tests.integration.nodes.attempts import Attempt, done, refused
from tests.integration.nodes.provisioner import FINALIZER, Provisioner, delete

PATIENCE = timedelta(seconds=2)
# For what is held for good; what does go has as long as it has in production.
SOON = timedelta(seconds=2)
QUOTA = "ErrCode_InsufficientVCPUQuota: Insufficient vcpu quota requested 24, remaining 0 for family NCADSA100v4"
CAPACITY = "ZonalAllocationFailed: we do not have sufficient capacity in eastus"


def node_claims(cluster: Cluster, **options: Any) -> NodeClaims:
    return NodeClaims(cluster, **({"patience": PATIENCE} | options))


def pool_key(plan: Plan) -> PoolKey:
    return PoolKey(workspace=plan.key, pool_name=plan.pool_name)


async def names_of(admin: Cluster, kind: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in (await admin.list_all(kind))[0])


async def test_a_gang_is_bought_once_and_given_back(admin: Cluster, cluster: Cluster, provisioner: Provisioner) -> None:
    nodes, plan = node_claims(cluster), a_plan(node_count=2)
    bought = await done(nodes.ensure_node_pool, plan)
    assert (bought.node_count, bought.instance_type, bought.provisioning_state) == (2, SKU, "Succeeded")
    claims = [claim_name(plan.key.uid, index) for index in range(2)]
    assert await names_of(admin, "NodeClaim") == claims
    found, _ = await admin.list_all("Node", selector=f"modelyard.dev/workspace-uid={plan.key.uid},accelerator=nvidia")
    assert len(found) == 2, "the waits find the nodes by the same label as those of an agent pool"

    await done(nodes.ensure_node_pool, plan)
    assert sorted(provisioner.bought) == claims, "a repeat buys nothing"

    released = await done(nodes.delete_node_pool, pool_key(plan))
    assert released.existed
    assert await names_of(admin, "NodeClaim") == await names_of(admin, "Node") == []
    assert not (await done(nodes.delete_node_pool, pool_key(plan))).existed


async def test_fewer_nodes_than_before_give_the_others_back(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes = node_claims(cluster)
    await done(nodes.ensure_node_pool, a_plan(node_count=2))
    await done(nodes.ensure_node_pool, a_plan(node_count=1))
    async with asyncio.timeout(PATIENCE_S):
        while len(await names_of(admin, "Node")) > 1:
            await asyncio.sleep(0.1)


async def test_a_refusal_for_quota_is_told_at_once_with_its_numbers(cluster: Cluster, provisioner: Provisioner) -> None:
    provisioner.refusal = QUOTA
    error = await refused(node_claims(cluster, patience=timedelta(hours=1)).ensure_node_pool, a_plan(node_count=2))
    assert error.type == "QuotaExceeded" and error.non_retryable
    assert f"0 of 2 {SKU} are ready" in error.message and "requested 24, remaining 0" in error.message


async def test_capacity_that_stays_away_is_told_and_what_was_asked_for_is_given_back(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes, plan = node_claims(cluster), a_plan(node_count=2)
    provisioner.refusal = CAPACITY
    error = await refused(nodes.ensure_node_pool, plan)
    assert error.type == "AllocationFailed" and not error.non_retryable, "it is tried again, within bounds"
    assert CAPACITY in error.message
    assert (await done(nodes.delete_node_pool, pool_key(plan))).existed
    assert await names_of(admin, "NodeClaim") == [] == provisioner.bought


async def test_a_claim_that_karpenter_withdraws_is_told_in_its_events_words(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes, plan = node_claims(cluster), a_plan()
    provisioner.withdrawal = "NodeClaim event: creating instance, insufficient capacity for Standard_NC24ads_A100_v4"
    error = await refused(nodes.ensure_node_pool, plan)
    assert error.type == "AllocationFailed" and provisioner.withdrawal in error.message
    provisioner.withdrawal = ""
    assert (await done(nodes.ensure_node_pool, plan)).node_count == 1


async def test_claims_of_a_controller_before_us_are_adopted_with_their_nodes(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes, plan = node_claims(cluster), a_plan(node_count=2)
    await claim_of_kaito(admin, "ws0123456789", plan)
    async with asyncio.timeout(PATIENCE_S):
        while await names_of(admin, "Node") != ["node-ws0123456789"]:
            await asyncio.sleep(0.05)
    assert (await done(nodes.ensure_node_pool, plan)).node_count == 2
    assert sorted(provisioner.bought) == sorted(["ws0123456789", claim_name(plan.key.uid, 0)]), "one more, not two"
    found, _ = await admin.list_all("Node", selector=f"modelyard.dev/workspace-uid={plan.key.uid}")
    assert len(found) == 2
    await done(nodes.delete_node_pool, pool_key(plan))
    assert await names_of(admin, "NodeClaim") == []


async def claim_of_kaito(admin: Cluster, name: str, plan: Plan) -> None:
    requirement = {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [SKU]}
    own = {"kaito.sh/workspace": plan.key.name, "kaito.sh/workspacenamespace": plan.key.namespace}
    reference = {"group": "kaito.sh", "kind": "KaitoNodeClass", "name": "default"}
    claim = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": name, "labels": own | {"karpenter.sh/nodepool": "kaito"}},
        "spec": {"nodeClassRef": reference, "requirements": [requirement]},
    }
    await admin.create("NodeClaim", claim)


async def test_a_successors_claims_are_left_alone(admin: Cluster, cluster: Cluster, provisioner: Provisioner) -> None:
    nodes, plan, namesakes = node_claims(cluster), a_plan(), a_plan(a_key(uid="22222222-0000-4000-8000-000000000000"))
    await done(nodes.ensure_node_pool, namesakes)
    await done(nodes.ensure_node_pool, plan)
    await done(nodes.delete_node_pool, pool_key(plan))
    assert await names_of(admin, "NodeClaim") == [claim_name(namesakes.key.uid, 0)]


async def test_a_claim_whose_name_is_somebody_elses_is_a_conflict(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    plan = a_plan()
    theirs = a_plan(WorkspaceKey(namespace="elsewhere", name="other", uid="other"))
    await claim_of_kaito(admin, claim_name(plan.key.uid, 0), theirs)
    error = await refused(node_claims(cluster).ensure_node_pool, plan)
    assert error.type == "OwnershipConflict" and "elsewhere" in error.message


async def test_a_lost_node_is_bought_again(admin: Cluster, cluster: Cluster, provisioner: Provisioner) -> None:
    nodes, plan = node_claims(cluster), a_plan(node_count=2)
    await done(nodes.ensure_node_pool, plan)
    await delete(admin, "Node", f"node-{claim_name(plan.key.uid, 1)}")
    await done(nodes.ensure_node_pool, plan)
    assert len(provisioner.bought) == 3
    assert len(await names_of(admin, "Node")) == 2


async def test_a_finalizer_that_stays_is_named_and_ours_waits_for_it(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes, plan = node_claims(cluster), a_plan()
    await done(nodes.ensure_node_pool, plan)
    provisioner.stuck = True
    error = await refused(node_claims(cluster, gone_within=SOON).delete_node_pool, pool_key(plan))
    name = claim_name(plan.key.uid, 0)
    assert error.type == "CleanupBlocked" and not error.non_retryable
    assert (
        f"1 NodeClaims are left after their delete: {name} (finalizers: {FINALIZER}; node node-{name}" in error.message
    )
    provisioner.unstick()
    await admin.patch("NodeClaim", name, None, [{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}])
    # It may be gone before that begins.
    await done(nodes.delete_node_pool, pool_key(plan))
    assert await names_of(admin, "NodeClaim") == await names_of(admin, "Node") == []


async def test_a_node_that_outlives_its_claim_is_named(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes, plan = node_claims(cluster), a_plan()
    await done(nodes.ensure_node_pool, plan)
    node = f"node-{claim_name(plan.key.uid, 0)}"
    held = {"op": "add", "path": "/metadata/finalizers", "value": ["example.com/held"]}
    await admin.patch("Node", node, None, [held])
    error = await refused(node_claims(cluster, gone_within=SOON).delete_node_pool, pool_key(plan))
    assert error.type == "CleanupBlocked" and f"1 Nodes are left after their delete: {node}" in error.message
    await admin.patch("Node", node, None, [{"op": "remove", "path": "/metadata/finalizers"}])
    await done(nodes.delete_node_pool, pool_key(plan))


async def test_a_cancelled_attempt_is_resumed_with_the_same_claims(
    admin: Cluster, cluster: Cluster, provisioner: Provisioner
) -> None:
    nodes, plan = node_claims(cluster), a_plan(node_count=2)
    provisioner.may_launch.clear()
    first = Attempt(nodes.ensure_node_pool, plan)
    await first.until_beat(lambda counts: counts["wanted"] == 2)
    await first.cancelled()
    second = Attempt(nodes.ensure_node_pool, plan)
    await second.until_beat(lambda counts: counts["wanted"] == 2)
    assert (await second.drained()).type == "WorkerDraining"
    provisioner.may_launch.set()
    await done(nodes.ensure_node_pool, plan)
    assert sorted(provisioner.bought) == [claim_name(plan.key.uid, index) for index in range(2)]


async def test_two_attempts_at_once_buy_once(admin: Cluster, cluster: Cluster, provisioner: Provisioner) -> None:
    """A worker that was only thought lost goes on beside its successor."""
    nodes, plan = node_claims(cluster), a_plan(node_count=3)
    await asyncio.gather(*(done(nodes.ensure_node_pool, plan) for _ in range(3)))
    assert sorted(provisioner.bought) == [claim_name(plan.key.uid, index) for index in range(3)]


async def test_without_anybody_to_fulfil_claims_the_deadline_says_so(cluster: Cluster, admin: Cluster) -> None:
    nodes, plan = node_claims(cluster), a_plan(provision_s=2)
    error = await refused(nodes.ensure_node_pool, plan)
    assert error.type == "AllocationFailed" and error.non_retryable
    assert "0 of 1 NodeClaims are ready" in error.message and "Check that gpu-provisioner" in error.message
    await done(nodes.delete_node_pool, pool_key(plan))
