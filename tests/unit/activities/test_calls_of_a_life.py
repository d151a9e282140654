"""What the steps of a life ask of the API server between the plan and the last pod: the budget that a crowd pays."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.nodes import NodesHeld
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import ServingRequest, UndeployRequest, WorkloadRequest
from activities.nodes.readiness import Nodes
from activities.serving.workloads import Workloads
from api import labels
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.controllers import controlled, replica_set
from tests.integration.nodes.attempts import Attempt

DIGEST = "digest-1"
A_LIFE = {
    ("create", "ConfigMap"): 1, ("create", "Deployment"): 1, ("create", "Service"): 1,
    ("delete", "Service"): 1, ("delete", "Deployment"): 1, ("delete", "ConfigMap"): 1,
    ("get", "ReplicaSet"): 1,
}  # fmt: skip
"""Nothing is asked while nodes and pods come and go, but once whose the ReplicaSet is."""
NODES_STAY = {("list_all", "Pod"): 1}
"""Before nodes that stay are free for others, one list confirms that no pod is left."""
A_PROCESS = {(verb, kind): 1 for verb in ("list_all", "watch") for kind in ("Node", "Pod")}


def node(key: WorkspaceKey) -> Object:
    status = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {labels.GPU_RESOURCE: "1"}}
    return {"metadata": {"name": f"node-{key.name}", "labels": {labels.WORKSPACE_UID: key.uid}}, "status": status}


def pod(key: WorkspaceKey) -> Object:
    own = {"labels": {labels.WORKSPACE_UID: key.uid}, "annotations": {labels.CONFIG_HASH: DIGEST}}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    metadata = {"name": f"pod-{key.name}", "namespace": key.namespace} | own
    found = {"metadata": metadata, "spec": {"nodeName": f"node-{key.name}"}, "status": status}
    return controlled(found, "ReplicaSet", replica_set(key))


class World:
    """A cluster with a view, and the machines and kubelets of it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.view = ClusterView(self.cluster)
        self._nodes, self._workloads = Nodes(self.view), Workloads(self.view, IMAGES, first_pods=NO_CONTROLLER)

    async def life(self, number: int, *, nodes_go: bool) -> None:
        key = a_key(uid=f"uid-{number}", name=f"w{number}")
        plan = a_plan(key, digest=DIGEST)
        applied = await _end(Attempt(self._workloads.ensure_workload, WorkloadRequest(plan=plan, pinned=PINNED)))
        joining = Attempt(self._nodes.wait_for_nodes, plan)
        await joining.until_beat(lambda said: said["joined"] == 0)
        await self.cluster.put("Node", node(key))
        held = NodesHeld.of(plan, (await _end(joining)).names)
        made = applied.made["Deployment"]
        serving = ServingRequest(workspace=key, digest=DIGEST, replicas=1, nodes=held, deployment=made)
        starting = Attempt(self._workloads.wait_for_serving, serving)
        await starting.until_beat(lambda said: said["ready"] == 0)
        await self.cluster.put("ReplicaSet", replica_set(key, made))
        await self.cluster.put("Pod", pod(key))
        await _end(starting)
        request = UndeployRequest(workspace=key, made=applied.made, nodes_go=nodes_go)
        undeploying = Attempt(self._workloads.delete_workload, request)
        await undeploying.until_beat(lambda said: said == {"left": 1})
        await self.cluster.delete("Pod", f"pod-{key.name}", key.namespace)
        await _end(undeploying)
        leaving = Attempt(self._nodes.wait_for_no_nodes, key)
        await leaving.until_beat(lambda said: said == {"left": 1})
        await self.cluster.delete("Node", f"node-{key.name}")
        await _end(leaving)


async def _end(attempt: Attempt) -> Any:
    return await asyncio.wait_for(attempt.task, PATIENCE_S)


@pytest.mark.parametrize("nodes_go", [True, False])
@pytest.mark.parametrize("lives", [1, 30])
async def test_the_calls_of_lives_do_not_grow_faster_than_their_number(lives: int, nodes_go: bool) -> None:
    world = World()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(world.life(number, nodes_go=nodes_go) for number in range(lives)))
    expected: Counter[tuple[str, str]] = Counter()
    for call, count in (A_LIFE if nodes_go else A_LIFE | NODES_STAY).items():
        expected[call] = lives * count
    expected.update(A_PROCESS)
    # The machines' and the kubelets' own.
    expected.update({("delete", "Pod"): lives, ("delete", "Node"): lives})
    assert world.cluster.calls == expected
    await world.view.close()
