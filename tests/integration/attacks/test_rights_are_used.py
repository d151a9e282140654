"""The shipped roles allow what the code calls and nothing else: each call site runs once under its own identity.

Read from the API server's audit log. A right that nothing uses is a right for whoever takes the process over.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import yaml
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.ownership import ensure_ours
from activities.clients.pod_proxy import IDENTITY, PodProxy
from activities.clients.registry import Registries
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import JOBS, NODES, PODS, Watched
from activities.clients.watch import EventType, follow, observe
from activities.contract.payloads import StatusPatch, WorkspaceKey
from activities.contract.serving import UndeployRequest, WorkloadRequest
from activities.contract.tuning import JobRequest, TuningKey
from activities.manifests import tuning as manifests
from activities.nodes.byo import reserve
from activities.nodes.gpus.offers import GpuOffering
from activities.nodes.gpus.plugins import DEVICE_PLUGINS
from activities.nodes.karpenter.claims import Claims
from activities.nodes.karpenter.kaito_pools import delete_pools
from activities.nodes.karpenter.node_claim import NodeClass
from activities.preflight.gpus import GpuOffers
from activities.preflight.kaito import check_kaito
from activities.preflight.namespaces import NamespaceRights
from activities.preflight.workload import WorkloadPreflight
from activities.serving.kept import KeptWorkloads
from activities.serving.pod_owners import PodOwners
from activities.serving.refused_pods import RefusedPods
from activities.serving.workloads import Workloads
from activities.status.statuses import Statuses
from activities.tuning.config import read_tuning
from activities.tuning.jobs import TuningJobs
from activities.workspaces import Workspaces, read_existing
from api import labels, names
from api.configs.option_classes import nowhere
from deploy.local.cluster.flags import audit_log
from deploy.local.cluster.resources import ensure_claim_crds
from deploy.local.layout import REPOSITORY, Layout
from testing.api_rights import POLICY, Right, rights_of, used
from testing.api_server import WORKER, api_server_alone, connected, ensure_installed
from testing.deadlines import PATIENCE_S
from testing.faults.raw_servers import listening, sending
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_plan
from tests.integration.attacks.tenants import (
    Tenant,
    address_of_pods,
    reference,
    reference_to,
)
from tests.integration.nodes.attempts import done
from tests.integration.nodes.provisioner import kaito_pool, node_object
from watcher.__main__ import OWNED
from watcher.leader_election import lead

WATCHER: Final = "modelyard:watcher"
ROLES: Final = {
    WORKER: ("modelyard:cluster-worker", "modelyard:namespaces"),
    WATCHER: ("modelyard:watcher",),
    IDENTITY: (IDENTITY,),
}
NO_REQUEST: Final = {
    # An admission plugin that is off by default asks for it when an owner is to block a delete.
    WORKER: {Right("update", "kaito.sh", "workspaces/finalizers")},
    WATCHER: set[Right](),
    IDENTITY: set[Right](),
}
EVERYBODYS: Final = {Right("create", "authorization.k8s.io", "selfsubjectaccessreviews")}
"""What Kubernetes gives every authenticated user, by `system:basic-user`."""
NOWHERE: Final = "127.0.0.1:9/team/adapter:1"
TUNING: Final[Object] = {
    "inference": None,
    "tuning": {
        "preset": {"name": "phi-3-mini-128k-instruct"},
        "method": "lora",
        "input": {"urls": ["https://data.example.com/rows.jsonl"]},
        "output": {"image": NOWHERE, "imagePushSecret": "push"},
    },
}
AROUND: Final = manifests.TuningPodSettings(tune_image="tune:1", data_image="data:1")
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """One of its own, because its audit log is about this run only."""
    with api_server_alone(tmp_path_factory.mktemp("rights"), audit=POLICY) as layout:
        ensure_installed(layout)
        ensure_claim_crds(layout.admin_kubeconfig, layout.logs / "installed.log")
        yield layout


def allowed(user: str) -> set[Right]:
    file = REPOSITORY / "deploy" / "rbac" / "modelyard.yaml"
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(file.read_text()))
    return rights_of(
        rule for one in documents if one["metadata"]["name"] in ROLES[user] for rule in one.get("rules", ())
    )


def missing(found: dict[str, set[Right]]) -> dict[str, list[Right]]:
    """Rights that no request has used, by user."""
    unused = {user: sorted(allowed(user) - NO_REQUEST[user] - found.get(user, set())) for user in ROLES}
    return {user: rights for user, rights in unused.items() if rights}


async def test_every_right_is_used_and_every_use_is_a_right(api_server: Layout, admin: Cluster, tenant: Tenant) -> None:
    async with connected(api_server, WORKER) as worker, connected(api_server, WATCHER) as watcher:
        await _serve(worker, admin, tenant)
        await _tune(worker, admin, tenant)
        await _nodes(worker, admin, tenant)
        watching = [
            asyncio.create_task(lead(watcher, "modelyard-system", "me", lambda: _watch(watcher))),
            *(asyncio.create_task(_look(worker, watched)) for watched in (PODS, JOBS, NODES, DEVICE_PLUGINS)),
            asyncio.create_task(_follow_claims(worker)),
        ]
        # The last of the rest to come is the Lease's renewal, some seconds after the watches have begun.
        await _until(api_server, lambda rights: all(right.verb == "watch" for right in rights))
        for task in watching:
            task.cancel()
        ended = await asyncio.gather(*watching, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended
    # A watch without events is in the log when it has ended.
    await _until(api_server, lambda rights: not rights)
    rights, forbidden = used(audit_log(api_server))
    assert not [one for one in forbidden if one.startswith("modelyard:")]
    assert missing(rights) == {}
    strays = {user: sorted(rights[user] - allowed(user) - EVERYBODYS) for user in ROLES}
    assert strays == {user: [] for user in ROLES}, "requests that other roles allow"


async def _until(api_server: Layout, enough: Callable[[list[Right]], bool]) -> None:
    """Returns when what has not been used is as `enough` says, or when it is too late; the caller looks then."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if enough([right for rights in missing(used(audit_log(api_server))[0]).values() for right in rights]):
            return
        await asyncio.sleep(0.5)


async def _serve(worker: Cluster, admin: Cluster, tenant: Tenant) -> None:
    key, view = await tenant.workspace(), ClusterView(worker)
    workspaces, workloads = Workspaces(worker, _forget), Workloads(view, IMAGES, first_pods=NO_CONTROLLER)
    await workspaces.ensure_finalizer(key)
    await read_existing(worker, key)
    await Statuses(worker, _nobody).apply(StatusPatch(workspace=key, status={"phase": "Planning", "revision": 1}))
    made: dict[str, str] = {}
    for generation, digest, keep, drop in ((1, "one", "", ""), (2, "two", "one", ""), (3, "three", "two", "one")):
        plan = a_plan(key, digest=digest, generation=generation, node_count=2, config_map="")
        request = WorkloadRequest(plan=plan, pinned=PINNED, keep=keep, drop=drop)
        made = (await done(workloads.ensure_workload, request)).made
    assert await KeptWorkloads(worker).read(key, "two") is not None
    deployment = reference("apps/v1", "Deployment", names.workload(key.name), made["Deployment"])
    replicas = await tenant.replica_set_of(f"{names.workload(key.name)}-5d4f8", deployment)
    address = address_of_pods()
    pod = await tenant.pod(key, reference_to(replicas), address=address)
    found = {pod: await worker.get("Pod", pod, key.namespace) or {}}
    assert await PodOwners(worker).own(found, key) == found
    with listening(sending(ANSWER), address) as port:
        await PodProxy(worker).post(key.namespace, pod, port, "/v1/completions", {}, 10)
        await PodProxy(worker).get(key.namespace, pod, port, "/healthz", 10)
    # The node that it is bound to does not exist, so its log cannot be read; the right is asked before.
    with pytest.raises(ApiException):
        await PodProxy(worker).log(key.namespace, pod, "serve", previous=False)
    await admin.delete("Pod", pod, key.namespace, grace_s=0)
    await done(workloads.delete_workload, UndeployRequest(workspace=key, made=made))
    await workspaces.delete_finalizer(key)
    await view.close()


async def _tune(worker: Cluster, admin: Cluster, tenant: Tenant) -> None:
    key, view = await tenant.workspace(**TUNING), ClusterView(worker)
    await tenant.secret("push", "an account")
    jobs = TuningJobs(view, IMAGES, AROUND, first_pods=NO_CONTROLLER)
    plan = a_plan(
        key, kind="tuning", method="lora", output_image=NOWHERE, output_secret="push", volume_gib=10, config_map=""
    )
    request = JobRequest(plan=plan, part="publish", pinned=PINNED)
    applied = await done(jobs.ensure_tuning_job, request)
    await RefusedPods(worker, "Job", applied.name, key, first_s=0).problem(missing=True)
    await done(jobs.ensure_tuning_job, request)
    # What is written where another worker has made the Job at the same moment.
    job = manifests.job(
        plan, "publish", applied.digest, await read_tuning(worker, plan, nowhere), PINNED, AROUND, IMAGES
    )
    job["metadata"]["annotations"]["seen"] = "twice"
    await ensure_ours(worker, "Job", job, key, good=lambda found: False, new=True)
    registries, rights = Registries((NOWHERE.partition("/")[0],)), NamespaceRights(worker)
    preflight = WorkloadPreflight(
        worker, {"tuning": ()}, registries, rights=rights, gpus=GpuOffers(view, GpuOffering())
    )
    await preflight.read_workload_preflight(plan)
    collecting = asyncio.create_task(_collect(admin, "Job", applied.name, key.namespace))
    await done(jobs.delete_tuning, TuningKey(workspace=key, volume=True))
    await collecting
    await view.close()


async def _nodes(worker: Cluster, admin: Cluster, tenant: Tenant) -> None:
    key, claims = await tenant.workspace(), Claims(worker, NodeClass())
    plan, name = a_plan(key), f"ws{key.uid[:8]}"
    await admin.create("Node", node_object("node-1", labels_={}, gpus=1))
    for _ in range(2):
        await claims.create(plan, name)
    (claim,) = await claims.listed(key)
    await claims.adopt(claim, key.model_copy(update={"uid": "00000000-0000-0000-0000-000000000000"}))
    assert await claims.without_node([claim | {"status": {"nodeName": "node-1"}}], key) == []
    await claims.events(name)
    await claims.delete(claim)
    await reserve.holding(worker, key)
    await admin.create("NodePool", kaito_pool(key))
    assert (await check_kaito(worker, plan)).outcome == "failed"
    collecting = asyncio.create_task(_collect(admin, "NodePool", f"{key.namespace}-{key.name}"))
    assert await delete_pools(worker, key, datetime.now(UTC) + timedelta(seconds=PATIENCE_S))
    await collecting
    await worker.list_all("Workspace")


async def _watch(cluster: Cluster) -> None:
    """As the watcher does, without a Temporal to tell."""
    async with asyncio.TaskGroup() as group:
        for kind, selector in {"Workspace": "", **OWNED}.items():
            group.create_task(follow(cluster, kind, _ignore, selector=selector))


async def _look(worker: Cluster, watched: Watched) -> None:
    view = ClusterView(worker)
    try:
        async with view.observe(watched, selector=f"{labels.WORKSPACE_UID}=nobody", until=None) as looks:
            async for _ in looks:
                pass
    finally:
        await view.close()


async def _follow_claims(worker: Cluster) -> None:
    async for _ in observe(worker, "NodeClaim", selector="a=b", until=datetime.now(UTC) + timedelta(hours=1)):
        pass


async def _collect(admin: Cluster, kind: str, name: str, namespace: str | None = None) -> None:
    """Ends a removal in the foreground, as the garbage collector does."""
    async with asyncio.timeout(PATIENCE_S):
        while "deletionTimestamp" not in ((await admin.get(kind, name, namespace)) or {}).get("metadata", {}):
            await asyncio.sleep(0.1)
        await admin.merge(kind, name, namespace, {"metadata": {"finalizers": None}})


async def _ignore(seen: EventType, item: Object) -> None:
    pass


async def _nobody(key: WorkspaceKey) -> None:
    raise AssertionError(f"{key} is there")


def _forget(found: Object) -> None:
    pass
