"""Workspaces whose nodes nobody buys from ARM, through the whole product: NodeClaims that a provisioner fulfils, and
nodes that are there already. Both come, survive a lost node, and leave nothing but the nodes that were there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.clients.kubernetes import Cluster, Object
from activities.contract.payloads import WorkspaceKey
from activities.nodes.karpenter import node_claim
from activities.nodes.reservation_labels import reservations_of
from api import labels
from deploy.local.azure.nodes.machines import Machine
from deploy.local.azure.nodes.simulated import Simulated
from deploy.local.cluster.kubectl import kubectl
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.cluster.resources import ensure_claim_crds
from deploy.local.kubernetes.binaries import require_binaries
from presets.machines.skus import find_sku
from testing.deadlines import PATIENCE_S
from testing.faults.processes import frozen
from testing.leftovers import pools
from testing.stack import Stack
from testing.workspaces import INSTANCE_TYPE, Workspaces, is_failed, is_ready, status_of, workspace
from tests.builders import a_plan
from tests.integration.faults.test_sweeping import found_by_a_dry_run, sweep, tear_away
from tests.integration.nodes.provisioner import Provisioner, kaito_pool

OWN = ("own-1", "own-2")
MATCH = {"apps": "own"}


def a_machine(name: str, labels_: dict[str, str]) -> Machine:
    sku = find_sku(INSTANCE_TYPE)
    labels_ = {"node.kubernetes.io/instance-type": sku.name, "accelerator": "nvidia", **labels_}
    return Machine(name=name, pool="", number=0, provider_id=f"azure:///{name}", sku=sku, gpus=1, labels=labels_)


def asked_of(provider: str, name: str, replicas: int = 1, **resource: Any) -> Object:
    """A Workspace with KAITO's annotation."""
    body = workspace(name, replicas=replicas)
    body["metadata"]["annotations"] |= {labels.NODE_PROVISIONER: provider}
    body["resource"] |= resource
    return body


@pytest.fixture
async def machines(stack: Stack) -> AsyncIterator[Simulated]:
    """Nodes whose Leases are renewed, as those of machines that run."""
    simulated = Simulated(stack.layout.admin_kubeconfig)
    await simulated.open()
    yield simulated
    await simulated.close()


@pytest.fixture
async def own_nodes(machines: Simulated) -> AsyncIterator[None]:
    for name in OWN:
        await machines.start(a_machine(name, MATCH))
    yield
    for name in OWN:
        await machines.remove("", name, drain_seconds=0)


class GpuProvisioner(Provisioner):
    """Its machines live as long as their claims."""

    def __init__(self, cluster: Cluster, machines: Simulated) -> None:
        super().__init__(cluster)
        self.machines = machines

    async def start_machine(self, name: str, labels_: dict[str, str]) -> None:
        await self.machines.start(a_machine(name, labels_))

    async def end_machine(self, name: str) -> None:
        await self.machines.remove("", name, drain_seconds=0)


@pytest.fixture
async def provisioner(stack: Stack, workspaces: Workspaces, machines: Simulated) -> AsyncIterator[GpuProvisioner]:
    """The cluster knows NodeClaims, and somebody fulfils them until no Workspace is left."""
    log = stack.layout.logs / "karpenter.log"
    await asyncio.to_thread(ensure_claim_crds, stack.layout.admin_kubeconfig, log)
    made = GpuProvisioner(workspaces.cluster, machines)
    running = asyncio.create_task(made.run())
    yield made
    await workspaces.delete_all()  # of a test that failed, too: a claim goes when its provisioner has taken it back
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [f"{trouble}" for trouble in made.troubles] == []


async def reservations(workspaces: Workspaces) -> dict[str, dict[str, int]]:
    found, _ = await workspaces.cluster.list_all("Node", selector="apps=own")
    return {node["metadata"]["name"]: reservations_of(node) for node in found}


def waits_for_a_label(found: Object) -> bool:
    return status_of(found).get("phase") == "Preflight" and status_of(found).get("reason") == "NoMatchingNodes"


@pytest.mark.usefixtures("own_nodes")
async def test_a_node_that_is_labelled_later_wakes_the_workspace(stack: Stack, workspaces: Workspaces) -> None:
    later = {"modelyard.example/for": "later"}
    await workspaces.create(asked_of("byo", "later", instanceType="", labelSelector={"matchLabels": later}))
    status = status_of((await workspaces.until(["later"], waits_for_a_label))["later"])
    assert "kubectl label node NAME modelyard.example/for=later" in status["message"] and status["deadline"]
    admin = stack.layout.admin_kubeconfig
    await asyncio.to_thread(kubectl, admin, "label", "node", OWN[1], "modelyard.example/for=later")
    ready = (await workspaces.until_ready("later"))["later"]
    assert status_of(ready)["workerNodes"] == [OWN[1]]


@pytest.mark.usefixtures("own_nodes")
async def test_own_nodes_serve_are_replaced_when_lost_and_stay(
    stack: Stack, workspaces: Workspaces, machines: Simulated
) -> None:
    bodies = [
        asked_of("byo", name, instanceType="", labelSelector={"matchLabels": MATCH}) for name in ("first", "next")
    ]
    first = (await workspaces.create(bodies[0]))["first"]
    ready = (await workspaces.until_ready("first"))["first"]
    assert status_of(ready)["plan"]["provider"] == "byo" and status_of(ready)["workerNodes"] == [OWN[0]]
    assert await reservations(workspaces) == {OWN[0]: {first: 1}, OWN[1]: {}}

    await machines.remove("", OWN[0], drain_seconds=0)
    await workspaces.until(["first"], lambda found: not is_ready(found))
    ready = (await workspaces.until_ready("first"))["first"]
    assert status_of(ready)["workerNodes"] == [OWN[1]]

    second = (await workspaces.create(bodies[1]))["next"]
    await machines.start(a_machine(OWN[0], MATCH))
    await workspaces.until_ready("next")
    assert await reservations(workspaces) == {OWN[0]: {second: 1}, OWN[1]: {first: 1}}
    await workspaces.delete("first", "next")
    await workspaces.until_gone("first", "next")
    assert await reservations(workspaces) == {name: {} for name in OWN}, "nodes of one's own stay"
    assert pools(stack) == []


async def test_claims_are_fulfilled_replaced_when_their_node_is_lost_and_given_back(
    stack: Stack, workspaces: Workspaces, provisioner: GpuProvisioner
) -> None:
    await workspaces.create(asked_of("azure-gpu-provisioner", "claimed", replicas=2))
    ready = (await workspaces.until_ready("claimed"))["claimed"]
    nodes = status_of(ready)["workerNodes"]
    assert sorted(nodes) == sorted(f"node-{claim}" for claim in provisioner.bought) and len(nodes) == 2
    assert status_of(ready)["plan"]["provider"] == "karpenter" and pools(stack) == []

    await provisioner.end_machine(nodes[0])
    await workspaces.until(["claimed"], lambda found: not is_ready(found))
    await workspaces.until_ready("claimed")
    assert len(provisioner.bought) == 3

    await workspaces.delete("claimed")
    await workspaces.until_gone("claimed")
    for kind, selector in (("NodeClaim", ""), ("Node", "kubernetes.azure.com/mode!=system")):
        assert (await workspaces.cluster.list_all(kind, selector=selector))[0] == [], kind


@pytest.mark.usefixtures("own_nodes", "provisioner")
async def test_what_workspaces_left_that_were_torn_away_is_swept(stack: Stack, workspaces: Workspaces) -> None:
    own = asked_of("byo", "torn-own", instanceType="", labelSelector={"matchLabels": MATCH})
    uids = await workspaces.create(own, asked_of("karpenter", "torn-claimed"))
    await workspaces.until_ready(*uids)
    async with frozen(stack, "watcher"):  # it would hear of the Deployments that go, and new workflows would clean up
        for name in uids:
            await tear_away(workspaces, name)
        async with asyncio.timeout(PATIENCE_S):
            while len(found := await found_by_a_dry_run(stack, "orphans")) < 2:
                await asyncio.sleep(0.5)
        assert [one["kind"] for one in found] == ["node_reservations", "node_claims"]
        code, report = await sweep(stack)
    assert code == 1 and report["failed"] == {}
    assert await reservations(workspaces) == {name: {} for name in OWN}
    assert (await workspaces.cluster.list_all("NodeClaim"))[0] == []


async def test_without_node_claims_nothing_is_tried(stack: Stack, workspaces: Workspaces) -> None:
    kubeconfig = stack.layout.admin_kubeconfig
    await asyncio.to_thread(kubectl, kubeconfig, "delete", "crd", "nodeclaims.karpenter.sh", "--ignore-not-found")
    await workspaces.create(asked_of("karpenter", "hopeless"))
    found = (await workspaces.until(["hopeless"], is_failed))["hopeless"]
    assert status_of(found)["reason"] == "NodeClaimsMissing"
    assert "Install gpu-provisioner or Karpenter" in status_of(found)["message"]


async def test_a_workspace_that_kaito_serves_is_handed_over_on_its_node(
    stack: Stack, workspaces: Workspaces, provisioner: GpuProvisioner
) -> None:
    """As docs/migrate-from-kaito.md tells it: nothing of KAITO's goes before a person deletes it."""
    if (minor := require_binaries(stack.layout).minor) < MINIMUM_MINOR:
        pytest.skip(f"Kubernetes 1.{minor} merges the Service's selector with KAITO's, where later ones replace it")
    async with frozen(stack, "watcher"):  # KAITO was here before
        uid = (await workspaces.create(asked_of("azure-gpu-provisioner", "switched")))["switched"]
        claim, server = await left_by_kaito(workspaces, provisioner, "switched", uid)
    found = (await workspaces.until(["switched"], is_failed))["switched"]
    assert status_of(found)["reason"] == "ServedByKaito"
    for told in (f"StatefulSet {server}", f"kubectl delete statefulset {server} -n default", f"{labels.RETRY}=1"):
        assert told in status_of(found)["message"]
    assert await workspaces.cluster.get("StatefulSet", server, "default") is not None
    assert labels.WORKSPACE_UID not in (await uid_and_labels(workspaces, claim))[1], "adopted while KAITO serves"

    await workspaces.cluster.delete("StatefulSet", server, "default")
    again = {"op": "add", "path": "/metadata/annotations/" + labels.RETRY.replace("/", "~1"), "value": "1"}
    before, _ = await uid_and_labels(workspaces, claim)
    await workspaces.cluster.patch("Workspace", "switched", "default", [again])
    ready = (await workspaces.until_ready("switched"))["switched"]
    assert status_of(ready)["workerNodes"] == [f"node-{claim}"] and provisioner.bought == [claim], (
        "bought a second node"
    )
    uid_after, own = await uid_and_labels(workspaces, claim)
    assert uid_after == before and own[labels.WORKSPACE_UID] == uid
    service = await workspaces.cluster.get("Service", "switched", "default")
    assert service is not None and "statefulset.kubernetes.io/pod-name" not in service["spec"]["selector"]
    await workspaces.delete("switched")
    await workspaces.until_gone("switched")
    assert await workspaces.cluster.get("NodeClaim", claim) is None


@pytest.mark.usefixtures("provisioner")
async def test_kaitos_node_pool_goes_with_a_workspace_that_was_never_handed_over(
    stack: Stack, workspaces: Workspaces
) -> None:
    async with frozen(stack, "watcher"):
        uid = (await workspaces.create(workspace("pooled")))["pooled"]
        await annotate_as_kaito(workspaces, "pooled")
        key = WorkspaceKey(namespace="default", name="pooled", uid=uid)
        await workspaces.cluster.create("NodePool", kaito_pool(key))
    found = (await workspaces.until(["pooled"], is_failed))["pooled"]
    assert "kubectl delete nodepool default-pooled;" in status_of(found)["message"] and pools(stack) == []
    await workspaces.delete("pooled")
    await workspaces.until_gone("pooled")
    assert await workspaces.cluster.get("NodePool", "default-pooled") is None


async def left_by_kaito(workspaces: Workspaces, provisioner: GpuProvisioner, name: str, uid: str) -> tuple[str, str]:
    """A claim with its node, the StatefulSet and the Service of a Workspace. Returns claim and StatefulSet."""
    await annotate_as_kaito(workspaces, name)
    key, claim = WorkspaceKey(namespace="default", name=name, uid=uid), "ws0123abcde"
    body = node_claim.node_claim(a_plan(key, instance_type=INSTANCE_TYPE), claim, node_claim.NodeClass())
    del body["metadata"]["labels"][labels.WORKSPACE_UID]
    await workspaces.cluster.create("NodeClaim", body)
    async with asyncio.timeout(PATIENCE_S):
        while not node_claim.is_ready(await workspaces.cluster.get("NodeClaim", claim) or {}):
            await asyncio.sleep(0.2)
    owner = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": name, "uid": uid, "controller": True}
    metadata = {"name": name, "namespace": "default", "ownerReferences": [owner]}
    own = {labels.WORKSPACE: name}
    pod = {"containers": [{"name": name, "image": "registry.example.com/kaito:1"}], "nodeSelector": {"nowhere": "yes"}}
    template = {"metadata": {"labels": own}, "spec": pod}
    spec = {"serviceName": f"{name}-headless", "selector": {"matchLabels": own}, "template": template}
    made = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}
    await workspaces.cluster.create("StatefulSet", made)
    selector = own | {"statefulset.kubernetes.io/pod-name": f"{name}-0"}
    ports = [{"name": "http", "port": 80, "targetPort": 5000}, {"name": "ray", "port": 6379}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": selector, "ports": ports},
    }
    await workspaces.cluster.create("Service", service)
    return claim, name


async def annotate_as_kaito(workspaces: Workspaces, name: str) -> None:
    metadata = {"annotations": {labels.KAITO_HASH: "0" * 64}, "finalizers": [labels.WORKSPACE_FINALIZER]}
    await workspaces.cluster.merge("Workspace", name, "default", {"metadata": metadata})


async def uid_and_labels(workspaces: Workspaces, claim: str) -> tuple[str, dict[str, str]]:
    metadata = ((await workspaces.cluster.get("NodeClaim", claim)) or {})["metadata"]
    return metadata["uid"], metadata["labels"]
