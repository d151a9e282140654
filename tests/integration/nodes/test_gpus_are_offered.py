"""Before a purchase the cluster is asked for a device plugin; a DaemonSet that comes wakes who waits for one."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.plan import Plan
from activities.nodes.gpus.offers import GpuOffering
from activities.nodes.gpus.on_node import reason_and_evidence
from activities.nodes.readiness import Nodes
from activities.preflight.gpus import GpuOffers
from api import labels
from deploy.local.layout import Layout
from deploy.local.nodes.gpu_plugin import NAME, manifests
from testing.api_server import connected
from testing.deadlines import PATIENCE_S
from tests.builders import a_plan
from tests.integration.nodes.attempts import Attempt, refused
from tests.integration.nodes.conftest import Bench
from tests.integration.nodes.provisioner import delete, node_object

PLUGIN = manifests("registry.example/device-plugin:1")[-1]
NAMESPACE = "default"
PLUGIN["metadata"]["namespace"] = NAMESPACE


@pytest.fixture
async def offers(cluster: Cluster, admin: Cluster) -> AsyncIterator[GpuOffers]:
    view = ClusterView(cluster)
    yield GpuOffers(view, GpuOffering())
    await view.close()
    await delete(admin, "DaemonSet", NAME, NAMESPACE)


async def ensure_plugin(admin: Cluster) -> Object:
    return await admin.apply("DaemonSet", PLUGIN, manager="test")


async def plan_of(bench: Bench, **change: Any) -> Plan:
    return a_plan(await bench.workspace(), **change)


async def test_a_plugin_that_is_installed_lets_a_waiting_workspace_go_on(
    offers: GpuOffers, admin: Cluster, bench: Bench
) -> None:
    plan = await plan_of(bench)
    check = await offers.check(plan)
    assert check is not None and (check.outcome, check.reason) == ("unknown", "GpusNotOffered")
    waiting = Attempt(offers.wait_for_gpus_offered, plan)
    await waiting.until_beat(lambda beat: "there is none" in beat["gpusOffered"])
    await ensure_plugin(admin)
    async with asyncio.timeout(PATIENCE_S):
        found = await waiting.task
    assert (found.outcome, found.message) == ("passed", f"by DaemonSet {NAMESPACE}/{NAME}")


async def test_a_plugin_that_does_not_tolerate_the_taint_is_named_until_it_does(
    offers: GpuOffers, admin: Cluster, bench: Bench
) -> None:
    await ensure_plugin(admin)
    pointer = "/spec/template/spec/tolerations"
    await admin.patch("DaemonSet", NAME, NAMESPACE, [{"op": "replace", "path": pointer, "value": []}])
    waiting = Attempt(offers.wait_for_gpus_offered, await plan_of(bench))
    await waiting.until_beat(lambda beat: f"{NAME} does not tolerate sku=gpu:NoSchedule" in beat["gpusOffered"])
    tolerant = [{"op": "replace", "path": pointer, "value": [{"operator": "Exists"}]}]
    await admin.patch("DaemonSet", NAME, NAMESPACE, tolerant)
    async with asyncio.timeout(PATIENCE_S):
        assert (await waiting.task).outcome == "passed"


async def test_a_node_that_offers_gpus_without_a_daemon_set_shows_that_others_will(
    offers: GpuOffers, admin: Cluster, bench: Bench
) -> None:
    plan = await plan_of(bench)
    name = f"offers-{os.urandom(4).hex()}"
    await admin.create("Node", node_object(name, labels_={labels.WORKSPACE_UID: "another"}))
    check = await offers.check(plan)
    assert check is not None and (check.outcome, check.message) == ("passed", f"node {name} offers its GPUs")


async def test_nodes_that_are_there_or_have_no_gpus_need_no_plugin(offers: GpuOffers, bench: Bench) -> None:
    assert await offers.check(await plan_of(bench, provider="byo")) is None
    assert await offers.check(await plan_of(bench, gpus_per_node=0)) is None


async def test_a_node_where_no_plugin_ran_is_the_clusters_fault_and_one_where_it_ran_is_its_own(
    cluster: Cluster, admin: Cluster, bench: Bench
) -> None:
    plan = await plan_of(bench)
    plan = plan.model_copy(update={"deadlines": plan.deadlines.model_copy(update={"nodes": 2})})
    node = f"aks-{plan.pool_name}-00000000-vmss000000"
    own = labels.node_ownership(plan.key.namespace, plan.key.name, plan.key.uid)
    await admin.create("Node", node_object(node, labels_=own, gpus=0))
    view = ClusterView(cluster)
    without = await refused(Nodes(view).wait_for_nodes, plan)
    assert without.type == "GpusNotOffered" and f"no device plugin runs on {node}" in without.message
    assert "devicePlugin.enabled" in without.message
    uid = (await ensure_plugin(admin))["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": NAME, "uid": uid, "controller": True}
    await bench.pod("plugin-pod", node, gpus=0)
    await admin.merge("Pod", "plugin-pod", "default", {"metadata": {"ownerReferences": [owner]}})
    assert (await refused(Nodes(view).wait_for_nodes, plan)).type == "GpusNotOffered"  # it has not started yet
    runs: Object = {"name": "c", "image": "x", "imageID": "", "state": {"running": {}}, "ready": True}
    status = {"containerStatuses": [runs | {"restartCount": 0}]}
    await admin.merge("Pod", "plugin-pod", "default", {"status": status}, subresource="status")
    broken = await refused(Nodes(view).wait_for_nodes, plan)
    assert broken.type == "NodeWithoutGpu" and "default/plugin-pod" in broken.message
    managed = await refused(Nodes(view, GpuOffering(managed=True)).wait_for_nodes, plan)
    assert managed.type == "NodeWithoutGpu"
    await view.close()
    await delete(admin, "DaemonSet", NAME, NAMESPACE)


async def test_without_the_right_to_look_nothing_is_waited_for(
    api_server: Layout, admin: Cluster, bench: Bench
) -> None:
    """A role of the release before is bound."""
    plan = await plan_of(bench)
    async with connected(api_server, "modelyard:nobody") as nobody:
        view = ClusterView(nobody)
        check = await GpuOffers(view, GpuOffering()).check(plan)
        assert check is not None and (check.outcome, check.reason) == ("unknown", "")
        assert "modelyard:cluster-worker" in check.message
        assert await reason_and_evidence(nobody, ["a-node"]) == ("NodeWithoutGpu", "")
        await view.close()
