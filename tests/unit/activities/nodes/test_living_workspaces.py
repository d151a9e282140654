"""Nothing is released for a Workspace that is gone while its uid is a living one's."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.nodes import PoolKey, Released
from activities.contract.payloads import WorkspaceKey
from activities.nodes.byo.provider import OwnNodes
from activities.nodes.reservation_labels import reservation_label, reservations_of
from activities.sweep.nodes import ClusterHoldings
from tests.builders import UID, a_key
from tests.fakes.cluster import FakeCluster
from tests.fakes.nodes import a_node

VICTIM, GHOST = a_key(), a_key(name="ghost", namespace="tenant-a")


def a_workspace(key: WorkspaceKey) -> Object:
    return {"kind": "Workspace", "metadata": {"namespace": key.namespace, "name": key.name, "uid": key.uid}}


def a_cluster(*workspaces: WorkspaceKey) -> Any:
    node = a_node("gpu-1", labels={reservation_label(UID): "1"})
    return FakeCluster(Workspace=[a_workspace(key) for key in workspaces], Node=[node], NodeClaim=[])


async def released(cluster: Any, key: WorkspaceKey) -> Released:
    found: Released = await ActivityEnvironment().run(
        OwnNodes(ClusterView(cluster)).delete_node_pool, PoolKey(workspace=key, pool_name="ws")
    )
    return found


async def reserved(cluster: Any) -> list[str]:
    nodes, _ = await cluster.list_all("Node")
    return [uid for node in nodes for uid in reservations_of(node)]


async def test_a_ghost_with_a_victims_uid_finds_no_provider_to_release_from() -> None:
    holdings = ClusterHoldings(a_cluster(VICTIM), provider="aks", with_cloud=True)
    assert (await holdings.read_providers(GHOST)).names == []
    assert (await holdings.read_providers(VICTIM)).names == ["aks", "byo"]


async def test_a_workspace_that_is_gone_is_searched_for_everywhere() -> None:
    holdings = ClusterHoldings(a_cluster(a_key("another")), provider="aks", with_cloud=True)
    assert (await holdings.read_providers(VICTIM)).names == ["aks", "byo"]


@pytest.mark.parametrize("key", [GHOST, a_key(name="", namespace="")])
async def test_a_victims_reservation_stays(key: WorkspaceKey) -> None:
    """A name of the attacker's, and none, as the sweeper has it of a reservation."""
    cluster = a_cluster(VICTIM)
    with pytest.raises(ApplicationError, match="another Workspace's, which is alive") as error:
        await released(cluster, key)
    assert error.value.type == "OwnershipConflict" and await reserved(cluster) == [UID]


@pytest.mark.parametrize("workspaces", [[VICTIM], []])
async def test_its_own_workspace_releases_a_reservation_while_it_is_there_and_afterwards(
    workspaces: list[WorkspaceKey],
) -> None:
    cluster = a_cluster(*workspaces)
    assert (await released(cluster, VICTIM)).existed and await reserved(cluster) == []
