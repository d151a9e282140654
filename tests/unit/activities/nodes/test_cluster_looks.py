"""What the cluster is asked before anything is claimed or reserved, and about what nobody remembers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.view.cluster_view import ClusterView
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Check
from activities.contract.sweep import SweepScope
from activities.nodes.reservation_labels import reservation_label
from activities.preflight.cluster import ClusterChecks
from activities.sweep.nodes import ClusterHoldings
from api import labels
from tests.builders import UID, a_key, a_plan
from tests.fakes.nodes import a_claim, a_node, a_pod

OTHER = "9d0a2f66-8f0e-4b57-8a39-6f9c5d1f2b22"


class Objects:
    """A cluster with these objects. `claims` is None where it has no such kind."""

    def __init__(self, *, claims: list[Any] | None = None, nodes: Any = (), pods: Any = ()) -> None:
        self._found: dict[str, Any] = {"Node": list(nodes), "Pod": list(pods), "NodeClaim": claims, "Workspace": []}
        self._found["NodePool"] = None if claims is None else []

    async def get(self, kind: str, name: str, namespace: str | None = None) -> None:
        """The Workspace is gone."""
        assert kind == "Workspace"

    async def list_all(
        self, kind: str, namespace: str | None = None, *, selector: str = "", keep: Any = None
    ) -> tuple[list[Any], str]:
        if self._found[kind] is None:
            raise ApiException(status=404, reason="Not Found")
        return [item for item in self._found[kind] if _matches(item, selector)], "1"

    async def watch(self, kind: str, namespace: str | None = None, **options: Any) -> AsyncIterator[Any]:
        """Nothing changes."""
        await asyncio.Event().wait()
        yield

    async def request(self, method: str, path: str, *, query: dict[str, str]) -> dict[str, Any]:
        assert (method, path) == ("GET", "/apis/karpenter.sh/v1/nodeclaims")
        return {"items": (await self.list_all("NodeClaim"))[0]}


def _matches(item: dict[str, Any], selector: str) -> bool:
    found = item["metadata"].get("labels") or {}
    pairs = [part.partition("=") for part in selector.split(",") if part]
    return all(key in found and (not equals or found[key] == value) for key, equals, value in pairs)


async def checks(plan: Any, **objects: Any) -> list[Check]:
    cluster: Any = Objects(**objects)
    return (await ClusterChecks(ClusterView(cluster)).read_cluster_preflight(plan)).checks


async def test_a_cluster_without_node_claims_cannot_have_any() -> None:
    known, quota = await checks(a_plan(provider="karpenter"))
    assert (known.outcome, known.reason) == ("failed", "NodeClaimsMissing")
    assert "Install gpu-provisioner or Karpenter" in known.message
    assert (quota.outcome, quota.reason) == ("unknown", "")
    known, _ = await checks(a_plan(provider="karpenter"), claims=[])
    assert known.outcome == "passed"


@pytest.mark.parametrize(
    ("nodes", "pods", "outcome", "says"),
    [
        pytest.param([a_node("n1")], [], "passed", "", id="free"),
        pytest.param([a_node("n1")], [a_pod("p", "n1")], "unknown", "uses 1 of 1", id="taken"),
        pytest.param([a_node("n1", labels={reservation_label(OTHER): "1"})], [], "unknown", OTHER, id="reserved"),
        pytest.param([a_node("n1", labels={reservation_label(UID): "1"})], [], "passed", "", id="ours already"),
        pytest.param([], [], "unknown", "no node has the labels apps=w", id="none"),
    ],
)
async def test_missing_free_gpus_are_reported_and_waited_for(
    nodes: list[Any], pods: list[Any], outcome: str, says: str
) -> None:
    (free,) = await checks(a_plan(provider="byo"), nodes=nodes, pods=pods)
    assert free.outcome == outcome and says in free.message
    assert free.message.endswith("The Workspace waits for free GPUs") == (outcome == "unknown")


def holdings(installed: Any, *, with_cloud: bool = False, **objects: Any) -> ClusterHoldings:
    cluster: Any = Objects(**objects)
    return ClusterHoldings(cluster, provider=installed, with_cloud=with_cloud)


@pytest.mark.parametrize(
    ("installed", "with_cloud", "objects", "expected"),
    [
        pytest.param("aks", True, {}, ["aks"], id="pools cannot be seen from here"),
        pytest.param("byo", False, {}, ["byo"], id="without a cloud"),
        pytest.param("byo", True, {}, ["aks", "byo"], id="with one"),
        pytest.param("aks", True, {"claims": [a_claim("ws1")]}, ["aks", "karpenter"], id="claims"),
        pytest.param("karpenter", False, {"nodes": [a_node("n1", labels={reservation_label(UID): "1"})]},
                     ["byo", "karpenter"], id="a reservation"),
        pytest.param("aks", True, {"claims": [a_claim("ws1", a_key(OTHER))],
                                   "nodes": [a_node("n1", labels={reservation_label(OTHER): "1"})]},
                     ["aks"], id="others' are not ours"),
    ],
)  # fmt: skip
async def test_providers_that_may_hold_nodes_are_those_with_objects_and_the_cloud(
    installed: str, with_cloud: bool, objects: dict[str, Any], expected: list[str]
) -> None:
    found = await holdings(installed, with_cloud=with_cloud, **objects).read_providers(a_key())
    assert found.names == expected


async def test_everything_that_claims_and_reservations_name_is_found_once() -> None:
    claims = [a_claim("ws1"), a_claim("ws2"), a_claim("ws3", legacy=True), {"metadata": {"name": "a stranger's"}}]
    nodes = [a_node(name, labels={reservation_label(OTHER): "1"}) for name in ("n1", "n2")] + [a_node("n3")]
    found = await holdings("byo", claims=claims, nodes=nodes).read_owned_nodes(SweepScope())
    assert [(thing.kind, thing.workspace) for thing in found.things] == [
        ("node_reservations", WorkspaceKey(namespace="", name="", uid=OTHER)), ("node_claims", a_key()),
    ]  # fmt: skip
    assert found.things[0].name == f"{labels.GPU_RESERVATIONS}/{OTHER}"
    assert not found.cloud
