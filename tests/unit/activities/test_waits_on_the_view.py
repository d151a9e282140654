"""What waits conclude from a view that may be behind: nothing final without a look at what is there now."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.clients.view import cluster_view, shared_watch
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import NODES, PODS
from activities.contract.nodes import NodesHeld, NodesReady
from activities.contract.plan import Deadlines
from activities.contract.serving import ServingRequest, Undeployed, UndeployRequest
from activities.nodes.readiness import Nodes
from activities.serving.workloads import Workloads
from api import labels
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES
from tests.builders import UID, a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.controllers import DEPLOYMENT_UID, controlled, replica_set
from tests.fakes.nodes import a_node
from tests.integration.nodes.attempts import Attempt, watching

DIGEST = "digest-1"
REPLICAS = replica_set(a_key())
OURS = f"{labels.WORKSPACE_UID}={UID}"
HELD = NodesHeld.of(a_plan(deadlines=Deadlines(unready=3600)), ["n1"])


def node(name: str = "n1", **changes: Any) -> Object:
    return a_node(name, labels={labels.WORKSPACE_UID: UID}, **changes)


def pod(name: str = "p1", *, ready: bool = True, **status: Any) -> Object:
    annotations = {labels.CONFIG_HASH: DIGEST}
    metadata = {"name": name, "namespace": "default", "labels": {labels.WORKSPACE_UID: UID}, "annotations": annotations}
    conditions = [{"type": "Ready", "status": str(ready)}]
    found = {"metadata": metadata, "spec": {"nodeName": "n1"}, "status": {"conditions": conditions} | status}
    return controlled(found, "ReplicaSet", REPLICAS)


def failed_pod() -> Object:
    ended = {"terminated": {"exitCode": 1, "message": '{"reason": "ModelConfigInvalid", "message": "no"}'}}
    return pod(ready=False, containerStatuses=[{"name": "serve", "restartCount": 0, "state": ended}])


async def shown(view: ClusterView, *kinds: Any) -> None:
    """The view runs, so that a later wait does not make it list."""
    for kind in kinds or (NODES, PODS):
        await view.now(kind, selector=OURS)


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_view, "RECHECK_S", 0.05)
    monkeypatch.setattr(cluster_view, "JUST_NOW_S", 0.0)
    monkeypatch.setattr(shared_watch, "RENEW_S", 0.0)


async def ready_nodes(view: ClusterView) -> NodesReady:
    return await asyncio.wait_for(Attempt(Nodes(view).wait_for_nodes, a_plan()).task, PATIENCE_S)


def serving(view: ClusterView, *, steady: bool = False) -> Attempt:
    request = ServingRequest(workspace=a_key(), digest=DIGEST, replicas=1, deployment=DEPLOYMENT_UID, steady=steady)
    return Attempt(Workloads(view, IMAGES).wait_for_serving, request)


async def test_nodes_that_become_ready_during_the_wait_need_no_request() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    waiting = Attempt(Nodes(ClusterView(cluster)).wait_for_nodes, a_plan())
    await until(lambda: cluster.calls["watch", "Node"])
    await cluster.put("Node", node(ready=False))
    await cluster.put("Node", node())
    assert (await asyncio.wait_for(waiting.task, PATIENCE_S)).names == ["n1"]
    assert cluster.calls == {("list_all", "Node"): 1, ("watch", "Node"): 1}


async def test_nodes_that_were_ready_before_are_read_again() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Node=node())
    view = ClusterView(cluster)
    await shown(view, NODES)
    assert (await ready_nodes(view)).names == ["n1"]
    assert cluster.calls["get", "Node"] == 1 and cluster.calls["list_all", "Node"] == 1


async def test_nodes_that_went_unnoticed_are_not_ready_and_the_view_is_listed_again() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Node=[node("n1"), node("n2")])
    view = ClusterView(cluster)
    await shown(view, NODES)
    cluster.lose("Node", "n1")
    assert (await ready_nodes(view)).names == ["n2"]


async def test_a_node_that_the_view_lacks_is_not_lost_while_it_is_there() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await shown(view, NODES)
    cluster.gain("Node", node())
    waiting = watching(view, HELD)
    await waiting.until_beat(lambda said: said == {"missing": []})
    assert not waiting.task.done()
    await cluster.delete("Node", "n1")
    assert await asyncio.wait_for(waiting.task, PATIENCE_S) == ["n1"]


async def test_a_node_that_is_not_ready_is_lost_when_its_grace_is_over() -> None:
    held = HELD.model_copy(update={"unready": 1})
    waiting = watching(ClusterView(FakeCluster(ReplicaSet=REPLICAS, Node=node(ready=False))), held)
    assert await asyncio.wait_for(waiting.task, PATIENCE_S) == ["n1"]


async def test_a_node_that_is_ready_again_is_not_lost_by_a_view_that_has_not_heard_of_it() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Node=node(ready=False))
    view = ClusterView(cluster)
    await shown(view, NODES)
    cluster.lose("Node", "n1")
    cluster.gain("Node", node())
    held = HELD.model_copy(update={"unready": 1})
    waiting = watching(view, held)
    await waiting.until_beat(lambda said: said == {"missing": []})
    assert cluster.calls["get", "Node"] <= 3, "a view that is behind is asked for at intervals"
    await waiting.cancelled()


async def test_nodes_are_gone_when_the_view_says_so_or_a_list_if_it_was_silent() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Node=node())
    view = ClusterView(cluster)
    await shown(view, NODES)
    waiting = Attempt(Nodes(view).wait_for_no_nodes, a_key())
    await until(lambda: waiting.beats)
    await cluster.delete("Node", "n1")
    await asyncio.wait_for(waiting.task, PATIENCE_S)
    assert cluster.calls["list_all", "Node"] == 1
    await asyncio.wait_for(Attempt(Nodes(view).wait_for_no_nodes, a_key()).task, PATIENCE_S)
    assert cluster.calls["list_all", "Node"] == 2


async def test_the_failed_pods_of_a_pass_before_do_not_fail_this_one() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Pod=failed_pod())
    view = ClusterView(cluster)
    await shown(view, PODS)
    cluster.lose("Pod", "p1", "default")
    waiting = serving(view)
    await until(lambda: cluster.calls["get", "Pod"] or waiting.task.done())
    await cluster.put("Pod", pod("p2"))
    ready = await asyncio.wait_for(waiting.task, PATIENCE_S)
    assert (ready.pods, ready.nodes) == (["p2"], ["n1"])


async def test_pods_are_gone_only_when_a_list_says_so() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS)
    view = ClusterView(cluster)
    await shown(view, PODS)
    cluster.gain("Pod", pod())
    waiting = Attempt(Workloads(view, IMAGES).delete_workload, UndeployRequest(workspace=a_key()))
    await until(lambda: cluster.calls["list_all", "Pod"] > 2 or waiting.task.done())
    assert not waiting.task.done()
    await cluster.delete("Pod", "p1", "default")
    await asyncio.wait_for(waiting.task, PATIENCE_S)


def undeploying(view: ClusterView, *, nodes_go: bool) -> Attempt:
    return Attempt(Workloads(view, IMAGES).delete_workload, UndeployRequest(workspace=a_key(), nodes_go=nodes_go))


def ending_pod(ends: datetime) -> Object:
    made = pod()
    made["metadata"]["deletionTimestamp"] = ends.isoformat()
    return made


async def test_pods_that_outlast_their_grace_do_not_hold_up_the_release_of_their_nodes() -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    view = ClusterView(FakeCluster(ReplicaSet=REPLICAS, Pod=ending_pod(long_ago)))
    left = await asyncio.wait_for(undeploying(view, nodes_go=True).task, PATIENCE_S)
    assert left == Undeployed(left=["p1"])


@pytest.mark.parametrize(
    ("ends_in", "nodes_go"),
    [
        pytest.param(timedelta(hours=1), True, id="within its grace"),
        pytest.param(None, True, id="not being deleted yet"),
        pytest.param(timedelta(hours=-1), False, id="the nodes stay"),
    ],
)
async def test_other_pods_are_waited_for(ends_in: timedelta | None, nodes_go: bool) -> None:
    there = pod() if ends_in is None else ending_pod(datetime.now(UTC) + ends_in)
    waiting = undeploying(ClusterView(FakeCluster(ReplicaSet=REPLICAS, Pod=there)), nodes_go=nodes_go)
    await waiting.until_beat(lambda said: said == {"left": 1})
    assert not waiting.task.done()
    await waiting.cancelled()


def container(restarts: int, **state: Any) -> list[Any]:
    return [{"name": "llm", "restartCount": restarts, "state": state}]


def seconds_ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def between_two_crashes(restarts: int, runs_s: float) -> Object:
    """Without a probe a container is ready as long as it runs."""
    found = pod(containerStatuses=container(restarts, running={"startedAt": seconds_ago(runs_s)}))
    found["status"]["conditions"][0]["lastTransitionTime"] = seconds_ago(runs_s)
    return found


async def test_a_template_that_crashes_again_and_again_is_never_ready_and_fails_with_its_crash() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Pod=between_two_crashes(0, runs_s=2))
    waiting = serving(ClusterView(cluster), steady=True)
    for restarts in (1, 2):
        await waiting.until_beat(lambda beat: beat == {"ready": 0, "wanted": 1})
        waiting.beats.clear()
        await cluster.put("Pod", between_two_crashes(restarts, runs_s=20))
    last = {"exitCode": 1, "message": "OSError: no such model"}
    await cluster.put("Pod", pod(ready=False, containerStatuses=container(3, terminated=last)))
    with pytest.raises(ApplicationError, match="OSError: no such model") as failed:
        await asyncio.wait_for(waiting.task, PATIENCE_S)
    assert failed.value.type == "ContainerCrashLoopBackOff"
    assert {beat["ready"] for beat, *_ in waiting.beats} == {0}


async def test_a_template_that_stays_ready_serves_also_after_crashes_of_long_ago() -> None:
    cluster = FakeCluster(ReplicaSet=REPLICAS, Pod=between_two_crashes(6, runs_s=3600))
    found = await asyncio.wait_for(serving(ClusterView(cluster), steady=True).task, PATIENCE_S)
    assert found.pods == ["p1"]
