"""Which Workspaces get a disruption budget, and what it says in old and new clusters."""

from typing import Any

import pytest

from activities.clients.api_server.paths import PATHS
from activities.manifests.disruption_budget import budget
from activities.manifests.older_policy_api import DisruptionBudgets

DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "w", "namespace": "team", "labels": {"kaito.sh/workspace": "w"}},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"kaito.sh/workspace": "w"}}},
}


class Discovery:
    """An API server that serves these versions of the group."""

    def __init__(self, *versions: str) -> None:
        self.versions, self.asked = versions, 0

    async def request(self, method: str, path: str) -> dict[str, Any]:
        assert (method, path) == ("GET", "/apis/policy")
        self.asked += 1
        return {"versions": [{"version": version} for version in self.versions]}


@pytest.mark.parametrize(
    ("versions", "version"), [(("v1beta1",), "v1beta1"), (("v1", "v1beta1"), "v1"), (("v1",), "v1")]
)
async def test_the_version_is_the_clusters(versions: tuple[str, ...], version: str) -> None:
    cluster: Any = Discovery(*versions)
    ((kind, body),) = await DisruptionBudgets(cluster).of(DEPLOYMENT, "w")
    assert body["apiVersion"] == f"policy/{version}"
    assert f"/policy/{version}/" in PATHS[kind]


async def test_a_cluster_being_upgraded_is_queried_until_it_has_the_stable_version() -> None:
    cluster: Any = Discovery("v1beta1")
    budgets = DisruptionBudgets(cluster)
    assert await budgets.kind() == "PodDisruptionBudget/v1beta1"
    cluster.versions = ("v1",)
    assert [await budgets.kind() for _ in range(3)] == ["PodDisruptionBudget"] * 3
    assert cluster.asked == 2


async def test_one_replica_gets_none_and_no_request_is_sent() -> None:
    cluster: Any = Discovery("v1")
    alone = DEPLOYMENT | {"spec": DEPLOYMENT["spec"] | {"replicas": 1}}
    assert await DisruptionBudgets(cluster).of(alone, "w") == []
    assert cluster.asked == 0


def test_it_allows_one_eviction_and_has_the_deployments_owner() -> None:
    body = budget(DEPLOYMENT, "w")
    assert body["spec"] == {"maxUnavailable": 1, "selector": DEPLOYMENT["spec"]["selector"]}
    assert body["metadata"] == DEPLOYMENT["metadata"] | {"name": "w-pdb"}
