"""What a tenant's pod learns when it answers with redirects or wears another's labels, under the shipped rights."""

import base64
import socket
from datetime import timedelta
from typing import Final

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import NameRefused, path_of, pod_proxy_path
from activities.clients.kubernetes import Cluster
from activities.clients.pod_proxy import IDENTITY, PodProxy
from activities.clients.view.cluster_view import ClusterView
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import HealthRequest, ServingRequest, VerifyRequest
from activities.serving import completions
from activities.serving.completions import Verification
from activities.serving.workloads import Workloads
from deploy.local.layout import Layout
from testing.faults.raw_servers import listening, sending
from testing.pods.inputs import IMAGES
from tests.integration.attacks.tenants import (
    DIGEST,
    Tenant,
    address_of_pods,
    reference,
    reference_to,
)
from tests.integration.nodes.attempts import Attempt, done, refused

PAYROLL: Final = "everybody's salaries"
ENCODED: Final = base64.b64encode(PAYROLL.encode()).decode()
SHORT: Final = timedelta(seconds=15)


@pytest.fixture
async def victim(admin: Cluster) -> Tenant:
    return await Tenant.new(admin)


async def serving(worker: Cluster, key: WorkspaceKey, replicas: int = 1, limit: timedelta = SHORT) -> list[str]:
    request = ServingRequest(workspace=key, digest=DIGEST, replicas=replicas)
    found = await Attempt(Workloads(ClusterView(worker), IMAGES).wait_for_serving, request, limit).task
    pods: list[str] = found.pods
    return pods


def redirect(status: int, place: str) -> bytes:
    return f"HTTP/1.1 {status} Away\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("way", ["relative", "from the root", "the API server", "another server"])
async def test_a_pod_that_redirects_learns_no_secret(
    way: str,
    status: int,
    api_server: Layout,
    worker: Cluster,
    tenant: Tenant,
    victim: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every Secret is the worker's to read, and what a pod's answer becomes is in the tenant's status."""
    secret, address, reached = await victim.secret("payroll", PAYROLL), address_of_pods(), list[str]()

    def elsewhere(connection: socket.socket) -> None:
        reached.append("asked")
        connection.sendall(redirect(500, "/"))

    key = await tenant.workspace()
    owner = reference_to(await tenant.replica_set(key, worker))
    name = await tenant.pod(key, owner, address=address)
    with listening(elsewhere, address) as inner:
        places = {
            "relative": f"../../../../../..{secret}",
            "from the root": secret,
            "the API server": f"{api_server.apiserver_url}{secret}",
            "another server": f"http://{address}:{inner}/inner",
        }
        with listening(sending(redirect(status, places[way])), address) as port:
            monkeypatch.setattr(completions, "SERVE_PORT", port)
            verify = VerifyRequest(workspace=key, pods=[name], model_names=["m"])
            failed = await refused(Verification(ClusterView(worker)).read_completions, verify)
            with pytest.raises(ApiException) as asked:
                await PodProxy(worker).get(tenant.namespace, name, port, "/healthz", 10)
    told = f"{failed!r} {failed.message} {failed.details} {asked.value!r} {asked.value.body} {asked.value.headers}"
    assert failed.type == "VerifyFailed" and f"with {status}: a redirect" in failed.message
    assert not any(word in told for word in (PAYROLL, ENCODED, "payroll", victim.namespace, places[way]))
    assert not reached


async def test_a_pod_that_quotes_what_it_knows_is_not_quoted(
    worker: Cluster, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await tenant.workspace()
    name = await tenant.pod(key, reference_to(await tenant.replica_set(key, worker)), address=address_of_pods())
    body = f'{{"kind": "Status", "message": "{PAYROLL}", "data": {{"value": "{ENCODED}"}}}}'
    for line in ("200 OK", "400 Bad", "500 Bad"):
        text = f"HTTP/1.1 {line}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        with listening(sending(text.encode()), address_of_pods()) as port:
            monkeypatch.setattr(completions, "SERVE_PORT", port)
            verify = VerifyRequest(workspace=key, pods=[name], model_names=["m"])
            failed = await refused(Verification(ClusterView(worker)).read_completions, verify)
        assert failed.type == "VerifyFailed"
        assert PAYROLL not in f"{failed!r}{failed.details}" and ENCODED not in f"{failed!r}{failed.details}"


async def test_a_pod_with_anothers_labels_serves_nobody(worker: Cluster, tenant: Tenant) -> None:
    """A tenant may make pods, and write any label, annotation and owner into them."""
    key, other = await tenant.workspace(), await tenant.workspace()
    real = await tenant.replica_set(key, worker)
    foreign = reference_to(await tenant.replica_set(other, worker))
    never = reference("apps/v1", "ReplicaSet", real["metadata"]["name"], "00000000-0000-0000-0000-000000000000")
    own_set = reference_to(await tenant.replica_set_of("mine", reference("apps/v1", "Deployment", key.name, "no")))
    direct = reference("kaito.sh/v1beta1", "Workspace", key.name, key.uid)
    for owners in ([], [foreign], [never], [own_set], [direct]):
        await tenant.pod(key, *owners)
    with pytest.raises(Exception, match="no pod"):
        await serving(worker, key)
    good = await tenant.pod(key, reference_to(real))
    assert await serving(worker, key, limit=timedelta(minutes=5)) == [good]
    health = HealthRequest(workspace=key, provider="byo", digest=DIGEST, gpus_per_node=0)
    assert (await done(Workloads(ClusterView(worker), IMAGES).read_health, health)).ready_pods == 1


async def test_a_pod_that_took_the_name_of_a_ready_one_is_not_asked(worker: Cluster, tenant: Tenant) -> None:
    key = await tenant.workspace()
    await tenant.replica_set(key, worker)
    verify = VerifyRequest(workspace=key, pods=[await tenant.pod(key)], model_names=["m"])
    failed = await refused(Verification(ClusterView(worker)).read_completions, verify)
    assert failed.type == "VerifyFailed" and "not this Workspace's any more" in failed.message


async def test_who_asks_pods_may_do_nothing_else(worker: Cluster, victim: Tenant) -> None:
    """Were a redirect followed some day, it would be followed without a right to anything."""
    secret = await victim.secret("payroll", PAYROLL)
    for path in (secret, path_of("Pod", victim.namespace), path_of("Workspace"), path_of("Node"), path_of("ConfigMap")):
        with pytest.raises(ApiException) as forbidden:
            await worker.request("GET", path, impersonate=IDENTITY)
        assert forbidden.value.status == 403


async def test_the_worker_itself_asks_no_pod_and_becomes_nobody_else(worker: Cluster, tenant: Tenant) -> None:
    name = await tenant.pod(await tenant.workspace(), address=address_of_pods())
    with pytest.raises(ApiException) as forbidden:
        await worker.request("GET", pod_proxy_path(tenant.namespace, name, 1, "/"))
    assert forbidden.value.status == 403
    for user in ("system:admin", "modelyard:watcher", f"system:serviceaccount:{tenant.namespace}:default"):
        with pytest.raises(ApiException) as forbidden:
            await worker.request("GET", path_of("Workspace"), impersonate=user)
        assert forbidden.value.status == 403


@pytest.mark.parametrize(
    "name", ["../../{0}/secrets/payroll", "..", "payroll/../../../..", "a?watch=1", "a#", "a%2fb", "A", ""]
)
async def test_a_name_that_leads_elsewhere_is_never_asked_for(name: str, worker: Cluster, victim: Tenant) -> None:
    await victim.secret("payroll", PAYROLL)
    for namespace in ("default", f"../namespaces/{victim.namespace}"):
        with pytest.raises(NameRefused):
            await worker.get("Secret", name.format(victim.namespace), namespace)
