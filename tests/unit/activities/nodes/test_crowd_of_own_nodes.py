"""What many Workspaces on nodes of one's own make a worker hold: one list of GPUs in use, shared by all."""

import asyncio
from typing import Any

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.nodes.byo.watch import GPU_PODS
from activities.preflight.cluster import ClusterChecks
from tests.builders import a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.nodes import a_node, a_pod

CROWD, PODS = 15, 200
LARGE = "x" * 6000


class Counting(FakeCluster):
    """How often all pods were listed."""

    lists = 0

    async def list_all(self, kind: str, *arguments: Any, **options: Any) -> tuple[list[Object], str]:
        self.lists += kind == "Pod"
        return await super().list_all(kind, *arguments, **options)


def large(pod: Object) -> Object:
    return pod | {"metadata": pod["metadata"] | {"annotations": {"example.com/notes": LARGE}}}


async def test_many_checks_of_own_nodes_list_the_pods_once_and_keep_only_those_with_gpus() -> None:
    pods = [large(a_pod(f"web-{number}", "n1", gpus=0)) for number in range(PODS)]
    cluster = Counting(Node=[a_node("n1")], Pod=[*pods, large(a_pod("trainer", "n1"))])
    view = ClusterView(cluster)
    plans = [a_plan(a_key(f"uid-{number}"), provider="byo") for number in range(CROWD)]
    found = await asyncio.gather(*(ClusterChecks(view).read_cluster_preflight(plan) for plan in plans))
    assert all("n1 uses 1 of 1 (default/trainer)" in one.checks[0].message for one in found)
    kept = await view.now(GPU_PODS, selector="")
    assert list(kept) == ["default/trainer"] and len(str(kept)) < 500
    assert cluster.lists == 1
    await view.close()
