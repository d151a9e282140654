"""NodeClaims are created only where the operator's policy allows them, beside those that the cluster has."""

from activities.clients.kubernetes import Cluster
from activities.contract.plan import Plan
from activities.nodes.karpenter.provider import NodeClaims
from api.policy.reading import parse_policy
from tests.builders import a_key, a_plan
from tests.integration.nodes.attempts import done, refused
from tests.integration.nodes.provisioner import Provisioner

LIMITED = parse_policy(
    """
    contact: the platform team
    namespaces: [{namespaces: [small], rules: {machineTypes: ["Standard_NC*_A100_v4"], dollarsPerHour: 10}}]
    """
)
UIDS = ("11111111-5c1f-4c8e-9a55-6f0d3f8d1a11", "22222222-5c1f-4c8e-9a55-6f0d3f8d1a11")


def plan_of(number: int, **changes: object) -> Plan:
    return a_plan(a_key(UIDS[number], f"w{number}", "small"), **changes)


def node_claims(cluster: Cluster) -> NodeClaims:
    return NodeClaims(cluster, policy=lambda: LIMITED, region="eastus")


async def claims(admin: Cluster) -> int:
    return len((await admin.list_all("NodeClaim"))[0])


async def test_no_h100_and_no_third_node_by_claims(admin: Cluster, cluster: Cluster, provisioner: Provisioner) -> None:
    nodes = node_claims(cluster)
    error = await refused(nodes.ensure_node_pool, plan_of(0, instance_type="Standard_NC40ads_H100_v5"))
    assert error.type == "PolicyRefused" and "not Standard_NC40ads_H100_v5. Ask the platform team" in error.message
    assert await claims(admin) == 0
    await done(nodes.ensure_node_pool, plan_of(0, node_count=2))
    error = await refused(nodes.ensure_node_pool, plan_of(1))
    assert error.type == "PolicyRefused" and "has $7.35 (2 x Standard_NC24ads_A100_v4)" in error.message
    assert await claims(admin) == 2
    await done(nodes.ensure_node_pool, plan_of(0, node_count=2))
