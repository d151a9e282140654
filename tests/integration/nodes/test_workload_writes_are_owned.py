"""A workload's objects on a real API server under the worker's own rights: created, edited, and never another's."""

import json
from typing import Any

import pytest

from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import JOBS, NODES, OWN_NODES, PODS, Watched
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import UndeployRequest, WorkloadRequest
from activities.nodes.byo.watch import GPU_PODS
from activities.serving.removal import owned_names
from activities.serving.workloads import Workloads
from api import labels, names
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_plan
from tests.integration.nodes.attempts import done, refused
from tests.integration.nodes.conftest import Bench
from tests.integration.nodes.provisioner import delete


def request(key: WorkspaceKey, **changes: Any) -> WorkloadRequest:
    defaults: dict[str, Any] = {"digest": "one", "config_map": ""}
    return WorkloadRequest(plan=a_plan(key, **(defaults | changes)), pinned=PINNED)


async def objects(bench: Bench, key: WorkspaceKey) -> dict[str, Object]:
    found = {kind: await bench.admin.get(kind, name, key.namespace) for kind, name in owned_names(key)}
    return {kind: item for kind, item in found.items() if item is not None}


async def removed(bench: Bench, key: WorkspaceKey) -> None:
    for kind, name in owned_names(key):
        await delete(bench.admin, kind, name, key.namespace)


def ours(item: Object) -> list[str]:
    """Which operations are recorded as ours."""
    return [one["operation"] for one in item["metadata"]["managedFields"] if one["manager"] == labels.FIELD_MANAGER]


async def test_an_edit_removes_what_the_create_had_set(cluster: Cluster, bench: Bench) -> None:
    workloads, key = Workloads(ClusterView(cluster), IMAGES, first_pods=NO_CONTROLLER), await bench.workspace()
    await done(workloads.ensure_workload, request(key, access_secret="hub"))
    made = await objects(bench, key)
    assert sorted(made) == ["ConfigMap", "Deployment", "Service"] and "HF_TOKEN" in json.dumps(made["Deployment"])
    assert all(ours(item) == ["Update"] for item in made.values())
    await done(workloads.ensure_workload, request(key, digest="two", generation=2))
    edited = await objects(bench, key)
    for kind, item in edited.items():
        assert item["metadata"]["uid"] == made[kind]["metadata"]["uid"]
        assert item["metadata"]["annotations"][labels.CONFIG_HASH] == "two"
        assert ours(item) == ["Apply"]
    assert "HF_TOKEN" not in json.dumps(edited["Deployment"])
    await done(workloads.ensure_workload, request(key, digest="three", generation=3))
    assert all(ours(item) == ["Apply"] for item in (await objects(bench, key)).values())
    await removed(bench, key)


@pytest.mark.parametrize("generation", [1, 2])
async def test_another_owners_object_stays_as_it_is(cluster: Cluster, bench: Bench, generation: int) -> None:
    workloads, key = Workloads(ClusterView(cluster), IMAGES, first_pods=NO_CONTROLLER), await bench.workspace()
    metadata = {"name": names.serve_config_map(key.name), "namespace": key.namespace}
    theirs = await bench.admin.create("ConfigMap", {"metadata": metadata, "data": {"of": "others"}})
    error = await refused(workloads.ensure_workload, request(key, generation=generation))
    assert error.type == "OwnershipConflict"
    assert await objects(bench, key) == {"ConfigMap": theirs}
    await removed(bench, key)


@pytest.mark.parametrize("there", [True, False])
async def test_an_object_that_went_since_it_was_read_is_not_written(
    cluster: Cluster, bench: Bench, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    key = await bench.workspace()
    workloads, apply = Workloads(ClusterView(cluster), IMAGES, first_pods=NO_CONTROLLER), cluster.apply
    await done(workloads.ensure_workload, request(key))
    metadata = {"name": names.serve_config_map(key.name), "namespace": key.namespace}

    async def late(*arguments: Any, **options: Any) -> Object:
        await delete(bench.admin, "ConfigMap", metadata["name"], key.namespace)
        if there:
            await bench.admin.create("ConfigMap", {"metadata": metadata, "data": {"of": "others"}})
        return await apply(*arguments, **options)

    monkeypatch.setattr(cluster, "apply", late)
    error = await refused(workloads.ensure_workload, request(key, digest="two", generation=2))
    assert error.type == "ApiServerUnavailable" and not error.non_retryable
    found = (await objects(bench, key)).get("ConfigMap")
    assert (found and found["data"]) == ({"of": "others"} if there else None)
    await removed(bench, key)


async def test_what_was_made_is_deleted_by_its_uid_and_what_replaced_it_stays(cluster: Cluster, bench: Bench) -> None:
    workloads, key = Workloads(ClusterView(cluster), IMAGES, first_pods=NO_CONTROLLER), await bench.workspace()
    made = (await done(workloads.ensure_workload, request(key))).made
    assert made == {kind: item["metadata"]["uid"] for kind, item in (await objects(bench, key)).items()}
    metadata = {"name": names.serve_config_map(key.name), "namespace": key.namespace}
    await delete(bench.admin, "ConfigMap", metadata["name"], key.namespace)
    theirs = await bench.admin.create("ConfigMap", {"metadata": metadata, "data": {"of": "others"}})
    for _ in range(2):
        await done(workloads.delete_workload, UndeployRequest(workspace=key, made=made))
        # The Deployment does not wait for a garbage collector, of which none runs here.
        assert await objects(bench, key) == {"ConfigMap": theirs}
    await removed(bench, key)


@pytest.mark.parametrize("watched", [NODES, OWN_NODES, PODS, JOBS, GPU_PODS])
async def test_the_worker_may_watch_what_its_waits_look_at(cluster: Cluster, watched: Watched) -> None:
    view = ClusterView(cluster)
    async with view.observe(watched, selector=f"{labels.WORKSPACE_UID}=nobody", until=None) as looks:
        assert (await anext(looks)).objects == {}
        assert view.running == [watched.kind]
    await view.close()
