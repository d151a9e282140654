"""A real API server keeps an older status from replacing a newer one, and a late one from a later Workspace."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.api_server.requests import REQUESTS
from activities.clients.kubernetes import Cluster, Object
from activities.contract.payloads import StatusPatch, WorkspaceKey
from activities.status.statuses import Statuses
from activities.workspaces import Workspaces
from api import labels
from testing.kubectl_client import Kubectl

NAME = "one"
STRANGER = "example.com/stranger"


@pytest.fixture
def cluster(admin: Cluster) -> Cluster:
    return admin


@pytest.fixture
async def key(cluster: Cluster, kubectl: Kubectl) -> WorkspaceKey:
    return await create(cluster, kubectl.namespace)


async def create(cluster: Cluster, namespace: str) -> WorkspaceKey:
    body: Object = {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {"name": NAME, "namespace": namespace},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": NAME}}},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }
    made = await cluster.create("Workspace", body)
    return WorkspaceKey(namespace=namespace, name=NAME, uid=made["metadata"]["uid"])


async def nobody_is_told(key: WorkspaceKey) -> None:
    raise AssertionError(f"{key} is there")


def process(cluster: Cluster) -> Statuses:
    """As another process has it, with a memory of its own."""
    return Statuses(cluster, nobody_is_told)


def status(key: WorkspaceKey, revision: int, phase: str) -> StatusPatch:
    return StatusPatch(workspace=key, status={"phase": phase, "revision": revision})


def calls() -> float:
    """All requests of this process so far."""
    return sum(sample.value for metric in REQUESTS.collect() for sample in metric.samples if "_total" in sample.name)


async def read(cluster: Cluster, key: WorkspaceKey) -> Object:
    found = await cluster.get("Workspace", key.name, key.namespace)
    assert found is not None
    return found


async def test_a_process_that_woke_late_does_not_go_back(cluster: Cluster, key: WorkspaceKey) -> None:
    late, other = process(cluster), process(cluster)
    await late.apply(status(key, 1, "Pending"))
    await other.apply(status(key, 3, "Ready"))
    assert (await late.apply(status(key, 2, "Provisioning"))).found
    assert (await process(cluster).apply(status(key, 2, "Provisioning"))).found
    assert (await read(cluster, key))["status"] == {"phase": "Ready", "revision": 3}


async def test_changes_of_others_do_not_stop_a_status(cluster: Cluster, key: WorkspaceKey) -> None:
    statuses = process(cluster)
    await statuses.apply(status(key, 1, "Pending"))
    await cluster.merge("Workspace", key.name, key.namespace, {"metadata": {"annotations": {"note": "mine"}}})
    assert (await statuses.apply(status(key, 2, "Ready"))).found
    found = await read(cluster, key)
    assert found["status"]["phase"] == "Ready" and found["metadata"]["annotations"] == {"note": "mine"}


async def test_fields_of_others_stay_in_the_status(cluster: Cluster, key: WorkspaceKey) -> None:
    body: Object = {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {"name": key.name, "namespace": key.namespace},
        "status": {"training": {"step": 7}},
    }
    await cluster.apply("Workspace", body, subresource="status", manager="trainer")
    await process(cluster).apply(status(key, 1, "Training"))
    assert (await read(cluster, key))["status"] == {"phase": "Training", "revision": 1, "training": {"step": 7}}


async def test_a_workspace_that_is_gone_is_told_and_not_made_again(cluster: Cluster, key: WorkspaceKey) -> None:
    statuses = process(cluster)
    await statuses.apply(status(key, 1, "Pending"))
    await cluster.delete("Workspace", key.name, key.namespace)
    for asked in (statuses, process(cluster)):
        assert not (await asked.apply(status(key, 2, "Ready"))).found
    assert await cluster.get("Workspace", key.name, key.namespace) is None


async def test_a_later_workspace_of_the_same_name_is_left_alone(cluster: Cluster, key: WorkspaceKey) -> None:
    statuses = process(cluster)
    await statuses.apply(status(key, 1, "Pending"))
    await cluster.delete("Workspace", key.name, key.namespace)
    later = await create(cluster, key.namespace)
    assert not (await statuses.apply(status(key, 2, "Ready"))).found
    assert "status" not in await read(cluster, later)


async def test_the_finalizer_is_added_once_and_removed_alone(cluster: Cluster, key: WorkspaceKey) -> None:
    workspaces = Workspaces(cluster)
    await cluster.merge("Workspace", key.name, key.namespace, {"metadata": {"finalizers": [STRANGER]}})
    for _ in range(2):
        await workspaces.ensure_finalizer(key)
    assert (await read(cluster, key))["metadata"]["finalizers"] == [STRANGER, labels.WORKSPACE_FINALIZER]
    for _ in range(2):
        await workspaces.delete_finalizer(key)
    assert (await read(cluster, key))["metadata"]["finalizers"] == [STRANGER]


async def test_a_finalizer_costs_one_call(cluster: Cluster, key: WorkspaceKey) -> None:
    workspaces, before = Workspaces(cluster), calls()
    await workspaces.ensure_finalizer(key)
    assert calls() == before + 1
    assert (await read(cluster, key))["metadata"]["finalizers"] == [labels.WORKSPACE_FINALIZER]
    before = calls()
    await workspaces.delete_finalizer(key)
    assert calls() == before + 1
    assert "finalizers" not in (await read(cluster, key))["metadata"]


async def test_no_finalizer_is_added_to_what_is_being_deleted(cluster: Cluster, key: WorkspaceKey) -> None:
    workspaces = Workspaces(cluster)
    await cluster.merge("Workspace", key.name, key.namespace, {"metadata": {"finalizers": [STRANGER]}})
    await cluster.delete("Workspace", key.name, key.namespace)
    with pytest.raises(ApplicationError, match="is gone or being deleted") as gone:
        await workspaces.ensure_finalizer(key)
    assert gone.value.type == "WorkspaceGone"
    assert (await read(cluster, key))["metadata"]["finalizers"] == [STRANGER]
    await cluster.merge("Workspace", key.name, key.namespace, {"metadata": {"finalizers": None}})
    with pytest.raises(ApplicationError, match="is gone or being deleted"):
        await workspaces.ensure_finalizer(key)
    await workspaces.delete_finalizer(key)
    assert await cluster.get("Workspace", key.name, key.namespace) is None


async def test_a_later_workspace_of_the_same_name_gets_no_finalizer(cluster: Cluster, key: WorkspaceKey) -> None:
    await cluster.delete("Workspace", key.name, key.namespace)
    later = await create(cluster, key.namespace)
    with pytest.raises(ApplicationError, match="is gone or being deleted"):
        await Workspaces(cluster).ensure_finalizer(key)
    await Workspaces(cluster).delete_finalizer(key)
    assert "finalizers" not in (await read(cluster, later))["metadata"]
