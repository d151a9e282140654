"""What is asked when a workload goes: nothing about objects whose uids are known, and never another owner's object."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.serving import UndeployRequest, WorkloadApplied, WorkloadRequest
from activities.serving.removal import owned_names
from activities.serving.workloads import Workloads
from api import names
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.integration.nodes.attempts import Attempt

KEY = a_key()
NAMES = dict(owned_names(KEY)) | {"PodDisruptionBudget": names.disruption_budget(KEY.name)}
ALONE = ("ConfigMap", "Deployment", "Service")
TOGETHER = (*ALONE, "PodDisruptionBudget")
A_LIST_OF_PODS = Counter({("list_all", "Pod"): 2, ("watch", "Pod"): 1})
"""The view's first, and the one that confirms that no pod is left."""


async def applied(cluster: FakeCluster, replicas: int = 1, **plan: Any) -> WorkloadApplied:
    wanted = a_plan(KEY, **({"digest": f"of {replicas}", "node_count": replicas, "vllm_options": {}} | plan))
    attempt = Attempt(
        Workloads(ClusterView(cluster), IMAGES, first_pods=NO_CONTROLLER).ensure_workload,
        WorkloadRequest(plan=wanted, pinned=PINNED),
    )
    made: WorkloadApplied = await asyncio.wait_for(attempt.task, PATIENCE_S)
    return made


async def undeployed(cluster: FakeCluster, made: dict[str, str]) -> None:
    """Counts what the removal asks."""
    view = ClusterView(cluster)
    cluster.calls.clear()
    attempt = Attempt(Workloads(view, IMAGES).delete_workload, UndeployRequest(workspace=KEY, made=made))
    await asyncio.wait_for(attempt.task, PATIENCE_S)
    await view.close()


def calls(verb: str, *kinds: str) -> Counter[tuple[str, str]]:
    return Counter({(verb, kind): 1 for kind in kinds})


async def uid(cluster: FakeCluster, kind: str) -> str | None:
    found = await cluster.get(kind, NAMES[kind], KEY.namespace)
    return str(found["metadata"]["uid"]) if found else None


@pytest.mark.parametrize(("replicas", "kinds"), [(1, ALONE), (2, TOGETHER)])
async def test_the_uids_of_what_was_created_are_told(replicas: int, kinds: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    made = (await applied(cluster, replicas)).made
    assert made == {kind: await uid(cluster, kind) for kind in kinds}


async def test_what_was_applied_found_or_made_again_is_told_as_well() -> None:
    cluster = FakeCluster()
    first = await applied(cluster)
    assert await applied(cluster) == first
    cluster.lose("Service", NAMES["Service"], KEY.namespace)
    edited = await applied(cluster, digest="two", generation=2)
    assert edited.made == first.made | {"Service": await uid(cluster, "Service")}


@pytest.mark.parametrize(("replicas", "kinds"), [(1, ALONE), (2, TOGETHER)])
async def test_what_is_known_is_deleted_without_a_look(replicas: int, kinds: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    await undeployed(cluster, (await applied(cluster, replicas)).made)
    assert cluster.calls == calls("delete", *kinds) + A_LIST_OF_PODS
    assert not any(cluster.names(kind) for kind in TOGETHER)


@pytest.mark.parametrize(("replicas", "kinds"), [(1, ALONE), (2, TOGETHER)])
async def test_what_is_not_known_is_read_first(replicas: int, kinds: tuple[str, ...]) -> None:
    cluster = FakeCluster()
    await applied(cluster, replicas)
    await undeployed(cluster, {})
    assert cluster.calls == calls("get", *kinds) + calls("delete", *kinds) + A_LIST_OF_PODS
    assert not any(cluster.names(kind) for kind in TOGETHER)


async def test_what_is_gone_is_asked_for_once() -> None:
    cluster = FakeCluster()
    made = (await applied(cluster)).made
    await undeployed(cluster, made)
    await undeployed(cluster, made)
    assert cluster.calls == calls("delete", *ALONE) + A_LIST_OF_PODS


@pytest.mark.parametrize("kind", TOGETHER)
async def test_another_owners_object_of_the_name_stays(kind: str) -> None:
    cluster = FakeCluster()
    made = (await applied(cluster, 2)).made
    theirs: Object = {"metadata": {"name": NAMES[kind], "namespace": KEY.namespace, "uid": "another"}}
    cluster.lose(kind, NAMES[kind], KEY.namespace)
    await cluster.put(kind, theirs)
    await undeployed(cluster, made)
    assert {one: cluster.names(one) for one in TOGETHER} == {
        one: [NAMES[kind]] if one == kind else [] for one in TOGETHER
    }
    assert await uid(cluster, kind) == "another"


async def test_one_of_ours_that_replaced_what_is_known_goes_too() -> None:
    cluster = FakeCluster()
    made = (await applied(cluster, 2)).made
    await undeployed(cluster, dict.fromkeys(made, "of before"))
    assert not any(cluster.names(kind) for kind in TOGETHER)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
async def test_a_budget_goes_if_the_last_edit_wants_several_replicas(before: int, after: int) -> None:
    """One of before such an edit allows every eviction, and goes with the Workspace."""
    cluster = FakeCluster()
    await applied(cluster, before)
    made = (await applied(cluster, after, generation=2)).made
    assert ("PodDisruptionBudget" in made) == (after > 1)
    await undeployed(cluster, made)
    assert cluster.calls["delete", "PodDisruptionBudget"] == (after > 1)
    assert not any(cluster.names(kind) for kind in ALONE)
