"""What serves before an edit is kept as it is, and put back as it was, whatever has become of what it was made of."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.serving import UndeployRequest, WorkloadApplied, WorkloadRequest
from activities.serving.workloads import Workloads
from api import labels, names
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, PINNED
from tests.builders import a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.integration.nodes.attempts import Attempt

KEY = a_key()
OPTIONS = "vllm:\n  max-num-seqs: {}\n"
DEPLOYMENT, CONFIG = names.workload(KEY.name), names.serve_config_map(KEY.name)


def theirs(seqs: int) -> Object:
    """The user's ConfigMap."""
    metadata = {"name": "options", "namespace": KEY.namespace}
    return {"metadata": metadata, "data": {"inference_config.yaml": OPTIONS.format(seqs)}}


async def ensured(cluster: FakeCluster, digest: str, *, config_map: str = "options", **request: Any) -> WorkloadApplied:
    plan = a_plan(KEY, digest=digest, generation=int(digest[-1]), vllm_options={}, config_map=config_map)
    body = Workloads(ClusterView(cluster), IMAGES).ensure_workload
    attempt = Attempt(body, WorkloadRequest(plan=plan, pinned=PINNED, **request))
    made: WorkloadApplied = await asyncio.wait_for(attempt.task, PATIENCE_S)
    return made


async def edited(cluster: FakeCluster) -> Object:
    """Serves with one ConfigMap, then is edited to another one. Returns the objects of before."""
    await cluster.put("ConfigMap", theirs(8))
    await ensured(cluster, "digest-1")
    before = await state(cluster)
    await cluster.put("ConfigMap", theirs(9))
    assert (await ensured(cluster, "digest-2", keep="digest-1")).kept == "digest-1"
    return before


async def state(cluster: FakeCluster) -> Object:
    """What shapes the pods now."""
    deployment = await cluster.get("Deployment", DEPLOYMENT, KEY.namespace)
    config = await cluster.get("ConfigMap", CONFIG, KEY.namespace)
    assert deployment is not None and config is not None
    marks = [one["metadata"]["annotations"][labels.CONFIG_HASH] for one in (deployment, config)]
    return {"marks": marks, "template": deployment["spec"]["template"], "data": config["data"]}


async def test_what_served_is_put_back_although_the_users_config_map_has_changed() -> None:
    cluster = FakeCluster()
    before = await edited(cluster)
    assert '"max-num-seqs": 9' in (await state(cluster))["data"]["serve.json"]
    await ensured(cluster, "digest-1", restore=True)
    assert await state(cluster) == before and '"max-num-seqs": 8' in before["data"]["serve.json"]


async def test_what_served_is_put_back_after_it_was_removed() -> None:
    cluster = FakeCluster()
    before = await edited(cluster)
    for kind, name in (("Deployment", DEPLOYMENT), ("ConfigMap", CONFIG)):
        await cluster.delete(kind, name, KEY.namespace)
    await ensured(cluster, "digest-1", restore=True)
    assert await state(cluster) == before


async def test_what_is_removed_for_another_machine_is_kept_first() -> None:
    cluster = FakeCluster()
    await cluster.put("ConfigMap", theirs(8))
    await ensured(cluster, "digest-1")
    before = await state(cluster)
    body = Workloads(ClusterView(cluster), IMAGES).delete_workload
    attempt = Attempt(body, UndeployRequest(workspace=KEY, keep="digest-1"))
    assert (await asyncio.wait_for(attempt.task, PATIENCE_S)).kept == "digest-1"
    assert cluster.names("Deployment") == []
    await ensured(cluster, "digest-1", restore=True)
    assert await state(cluster) == before


async def test_what_an_edit_has_not_touched_is_left_alone() -> None:
    cluster = FakeCluster()
    await cluster.put("ConfigMap", theirs(8))
    await ensured(cluster, "digest-1")
    cluster.calls.clear()
    await ensured(cluster, "digest-1", restore=True)
    assert not [verb for verb, _ in cluster.calls if verb not in ("get", "list_all", "watch")]


async def test_an_apply_that_was_broken_off_does_not_change_what_is_kept() -> None:
    """The ConfigMap is written first: with it the worker has died."""
    cluster = FakeCluster()
    await edited(cluster)
    await cluster.put("ConfigMap", theirs(7))
    cluster.fail_next("apply", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await ensured(cluster, "digest-3", keep="digest-1")
    assert (await ensured(cluster, "digest-3", keep="digest-1")).kept == "digest-1"
    await ensured(cluster, "digest-1", restore=True)
    assert '"max-num-seqs": 8' in (await state(cluster))["data"]["serve.json"]


async def test_only_the_last_one_is_kept() -> None:
    cluster = FakeCluster()
    await edited(cluster)
    assert (await ensured(cluster, "digest-3", keep="digest-2", drop="digest-1")).kept == "digest-2"
    assert cluster.names("ControllerRevision") == [names.kept_workload(KEY.name, "digest-2")]


async def test_what_was_gone_when_the_edit_came_is_said_not_to_be_kept() -> None:
    cluster = FakeCluster()
    await cluster.put("ConfigMap", theirs(8))
    assert (await ensured(cluster, "digest-2", keep="digest-1")).kept == ""
    with pytest.raises(ApplicationError) as refused:
        await ensured(cluster, "digest-1", restore=True)
    assert refused.value.type == "WorkloadNotKept"


async def test_a_plan_that_says_all_by_itself_needs_nothing_kept() -> None:
    cluster = FakeCluster()
    assert (await ensured(cluster, "digest-1", config_map="", restore=True)).digest == "digest-1"


async def test_what_anothers_object_says_is_not_put_back() -> None:
    cluster = FakeCluster()
    await cluster.put("ConfigMap", theirs(8))
    metadata = {"name": names.kept_workload(KEY.name, "digest-1"), "namespace": KEY.namespace}
    await cluster.put("ControllerRevision", {"metadata": metadata, "data": {"template": {}, "config": {}}})
    with pytest.raises(ApplicationError) as refused:
        await ensured(cluster, "digest-1", restore=True)
    assert refused.value.type == "WorkloadNotKept"
