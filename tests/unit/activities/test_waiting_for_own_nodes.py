"""A byo Workspace without a node waits for a label, which wakes it, and says at its deadline what the nodes lack."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.plan import Deadlines, PlanRequest
from activities.planning.own_nodes import MARGIN, OwnMachines
from activities.planning.planner import Planner
from api import labels
from tests.builders import a_key
from tests.fakes.cluster import FakeCluster
from tests.fakes.nodes import a_node
from tests.integration.nodes.attempts import Attempt

KEY = a_key()
REQUEST = PlanRequest(**KEY.model_dump())
GPUS = {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
    "nvidia.com/gpu.count": "1",
    "nvidia.com/gpu.memory": "81920",
}


def a_workspace() -> Object:
    metadata: dict[str, Any] = {"name": KEY.name, "namespace": KEY.namespace, "uid": KEY.uid, "generation": 1}
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": metadata | {"annotations": {labels.NODE_PROVIDER: "byo"}},
        "resource": {"labelSelector": {"matchLabels": {"apps": "llm"}}},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }


def node(**found: str) -> Object:
    return a_node("gpu-0", labels=found)


async def test_a_label_wakes_the_wait() -> None:
    cluster = FakeCluster(Workspace=a_workspace(), Node=node(**GPUS))
    view = ClusterView(cluster)
    waiting = Attempt(OwnMachines(view).wait_for_own_nodes, REQUEST)
    await waiting.until_beat(lambda beat: "kubectl label node NAME apps=llm" in str(beat))
    await cluster.put("Node", node(apps="llm"))
    await waiting.until_beat(lambda beat: "gpu-0: " in str(beat) and "feature discovery" in str(beat))
    await cluster.put("Node", node(apps="llm", **GPUS))
    assert (await waiting.task).names == ["gpu-0"]
    await view.close()


async def test_at_the_deadline_it_says_what_the_nodes_lack() -> None:
    view = ClusterView(FakeCluster(Workspace=a_workspace()))
    soon = MARGIN + timedelta(seconds=0.5)
    with pytest.raises(ApplicationError, match="apps=llm") as late:
        await Attempt(OwnMachines(view).wait_for_own_nodes, REQUEST, soon).task
    assert late.value.type == "NoMatchingNodes" and late.value.non_retryable
    await view.close()


async def test_size_does_not_wait_itself_and_says_how_long_one_may() -> None:
    deadlines = Deadlines(provision=77)
    planner = Planner(FakeCluster(Workspace=a_workspace()), location="eastus", deadlines=deadlines, images=())
    with pytest.raises(ApplicationError, match="kubectl label node NAME apps=llm") as refused:
        await Attempt(planner.build_plan, REQUEST).task
    assert refused.value.type == "NoMatchingNodes" and refused.value.non_retryable
    assert refused.value.details == ({"wait_s": 77},)
