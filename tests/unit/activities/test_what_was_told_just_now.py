"""What the API server has told moments ago needs no confirmation, except where a conclusion cannot be taken back."""

import asyncio
from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.clients.view import cluster_view
from activities.clients.view.cluster_view import JUST_NOW_S, ClusterView, is_news
from activities.clients.view.watched import NODES, PODS, Watched
from activities.contract.serving import ServingRequest, UndeployRequest
from activities.nodes.readiness import Nodes
from activities.serving.workloads import Workloads
from api import labels
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES
from tests.builders import UID, a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.controllers import DEPLOYMENT_UID, controlled, replica_set
from tests.fakes.nodes import a_node
from tests.integration.nodes.attempts import Attempt

DIGEST = "digest-1"
REPLICAS = replica_set(a_key())
OURS = f"{labels.WORKSPACE_UID}={UID}"
OTHERS = f"{labels.WORKSPACE_UID}=another"
NOW, MOMENTS = 1000.0, JUST_NOW_S / 2


@pytest.fixture
def moments_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this test does is over in moments, also on a slow machine."""
    monkeypatch.setattr(cluster_view, "JUST_NOW_S", 10 * PATIENCE_S)


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recent."""
    monkeypatch.setattr(cluster_view, "JUST_NOW_S", 0.0)


def node(name: str = "n1", workspace: str = UID) -> Object:
    return a_node(name, labels={labels.WORKSPACE_UID: workspace})


def pod(name: str = "p1", workspace: str = UID, **status: Any) -> Object:
    own = {"labels": {labels.WORKSPACE_UID: workspace}, "annotations": {labels.CONFIG_HASH: DIGEST}}
    conditions = [{"type": "Ready", "status": "True"}]
    metadata = {"name": name, "namespace": "default"} | own
    found = {"metadata": metadata, "spec": {"nodeName": "n1"}, "status": {"conditions": conditions} | status}
    return controlled(found, "ReplicaSet", REPLICAS)


async def told(cluster: FakeCluster, view: ClusterView, watched: Watched, body: Object, selector: str = OURS) -> None:
    """The view watches, and hears of this object."""
    await view.now(watched, selector=selector)
    await cluster.put(watched.kind, body)
    async with asyncio.timeout(PATIENCE_S):
        while not await view.now(watched, selector=selector):
            await asyncio.sleep(0.01)


async def ended(attempt: Attempt) -> Any:
    return await asyncio.wait_for(attempt.task, PATIENCE_S)


def serving(view: ClusterView) -> Attempt:
    request = ServingRequest(workspace=a_key(), digest=DIGEST, replicas=1, deployment=DEPLOYMENT_UID)
    return Attempt(Workloads(view, IMAGES).wait_for_serving, request)


@pytest.mark.parametrize(
    ("heard", "began", "news"),
    [
        pytest.param(NOW - 60, NOW - 90, True, id="since the wait began"),
        pytest.param(NOW - MOMENTS, NOW, True, id="moments before the wait, which begins now"),
        pytest.param(NOW - 60, NOW, False, id="long before the wait"),
        pytest.param(NOW - 60, NOW - 60 + MOMENTS, False, id="moments before the wait, but nothing since"),
    ],
)
def test_what_is_news(heard: float, began: float, news: bool) -> None:
    assert is_news(heard, began=began, now=NOW) == news


@pytest.mark.usefixtures("moments_ago")
async def test_nodes_that_became_ready_moments_before_the_wait_are_not_read() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await told(cluster, view, NODES, node())
    assert (await ended(Attempt(Nodes(view).wait_for_nodes, a_plan()))).names == ["n1"]
    assert cluster.calls == {("list_all", "Node"): 1, ("watch", "Node"): 1}


@pytest.mark.usefixtures("moments_ago")
async def test_pods_that_became_ready_moments_before_the_wait_are_not_read() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await told(cluster, view, PODS, pod())
    assert (await ended(serving(view))).pods == ["p1"]
    assert cluster.calls == {("list_all", "Pod"): 1, ("watch", "Pod"): 1, ("get", "ReplicaSet"): 1}


@pytest.mark.usefixtures("moments_ago")
async def test_a_watch_that_has_just_told_of_others_has_told_all_before() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Pod=pod())
    view = ClusterView(cluster)
    await told(cluster, view, PODS, pod("p2", workspace="another"), selector=OTHERS)
    assert (await ended(serving(view))).pods == ["p1"]
    assert cluster.calls == {("list_all", "Pod"): 1, ("watch", "Pod"): 1, ("get", "ReplicaSet"): 1}


@pytest.mark.usefixtures("long_ago")
async def test_what_was_told_longer_ago_is_read_again() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await told(cluster, view, NODES, node())
    await told(cluster, view, PODS, pod())
    assert (await ended(Attempt(Nodes(view).wait_for_nodes, a_plan()))).names == ["n1"]
    assert (await ended(serving(view))).pods == ["p1"]
    assert (cluster.calls["get", "Node"], cluster.calls["get", "Pod"]) == (1, 1)


@pytest.mark.usefixtures("moments_ago")
async def test_a_pod_fails_a_pass_for_good_only_if_a_read_says_so() -> None:
    over = {"terminated": {"exitCode": 1, "message": '{"reason": "ModelConfigInvalid", "message": "no"}'}}
    failed: Any = {"conditions": [], "containerStatuses": [{"name": "serve", "restartCount": 0, "state": over}]}
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await told(cluster, view, PODS, pod(**failed))
    cluster.lose("Pod", "p1", "default")
    waiting = serving(view)
    async with asyncio.timeout(PATIENCE_S):
        while not cluster.calls["get", "Pod"]:
            await asyncio.sleep(0.01)
    await cluster.put("Pod", pod("p2"))
    assert (await ended(waiting)).pods == ["p2"]


@pytest.mark.usefixtures("moments_ago")
@pytest.mark.parametrize("nodes_go", [True, False])
async def test_that_nothing_is_left_is_read_if_nothing_was_told_since_the_wait_began(nodes_go: bool) -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await told(cluster, view, NODES, node("n2", workspace="another"), selector=OTHERS)
    await told(cluster, view, PODS, pod("p2", workspace="another"), selector=OTHERS)
    await ended(Attempt(Nodes(view).wait_for_no_nodes, a_key()))
    request = UndeployRequest(workspace=a_key(), nodes_go=nodes_go)
    await ended(Attempt(Workloads(view, IMAGES).delete_workload, request))
    assert (cluster.calls["list_all", "Node"], cluster.calls["list_all", "Pod"]) == (2, 2)
