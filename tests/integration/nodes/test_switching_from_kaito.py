"""A cluster is switched from KAITO in place, as docs/migrate-from-kaito.md says: the model that serves is never taken
away by the switch, and its node is taken over once its owner has ended it."""

import asyncio

from activities.clients.kubernetes import Cluster, Object
from activities.clients.registry import Registries
from activities.contract.plan import Check, Plan
from activities.preflight.workload import WorkloadPreflight
from api import labels
from api.preflight import CheckName
from testing.deadlines import PATIENCE_S
from tests.builders import a_plan
from tests.integration.nodes.attempts import done
from tests.integration.nodes.conftest import Bench
from tests.integration.nodes.provisioner import Provisioner
from tests.integration.nodes.test_node_claims_are_fulfilled import claim_of_kaito, names_of, node_claims


def stateful_set(plan: Plan) -> Object:
    """As KAITO's controller makes it for a Workspace."""
    key = plan.key
    owner = {"apiVersion": labels.V1BETA1, "kind": "Workspace", "name": key.name, "uid": key.uid, "controller": True}
    own = {"kaito.sh/workspace": key.name}
    pod = {"metadata": {"labels": own}, "spec": {"containers": [{"name": key.name, "image": "kaito-base:0.1.0"}]}}
    return {
        "metadata": {"name": key.name, "namespace": key.namespace, "labels": own, "ownerReferences": [owner]},
        "spec": {
            "replicas": 1,
            "serviceName": f"{key.name}-headless",
            "selector": {"matchLabels": own},
            "template": pod,
        },
    }


async def left(cluster: Cluster, plan: Plan) -> list[Check]:
    """What the preflight says of what KAITO has left."""
    preflight = WorkloadPreflight(cluster, {"preset": ()}, Registries(()))
    checks = (await preflight.read_workload_preflight(plan)).checks
    return [check for check in checks if check.name == CheckName.NOTHING_LEFT]


async def test_a_model_that_kaito_serves_stays_until_its_owner_ends_it(
    admin: Cluster, cluster: Cluster, bench: Bench, provisioner: Provisioner
) -> None:
    plan = a_plan(await bench.workspace(), provider="karpenter")
    await claim_of_kaito(admin, "ws0123456789", plan)
    await admin.create("StatefulSet", stateful_set(plan))
    [check] = await left(cluster, plan)
    assert check.outcome == "failed" and f"kubectl delete statefulset {plan.key.name}" in check.message
    assert await names_of(admin, "NodeClaim") == ["ws0123456789"]
    assert await admin.get("StatefulSet", plan.key.name, plan.key.namespace) is not None

    await admin.delete("StatefulSet", plan.key.name, plan.key.namespace)
    assert await left(cluster, plan) == []
    async with asyncio.timeout(PATIENCE_S):
        assert (await done(node_claims(cluster).ensure_node_pool, plan)).node_count == 1
    assert provisioner.bought == ["ws0123456789"], "its node is taken over"
