"""The admin API knows who asks: tokens and rights of a real API server, asked with the shipped rights of its identity.

Temporal is not there: a request that gets as far as Temporal fails there.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from temporalio.client import Client

from activities.clients.kubernetes import Cluster
from admin.__main__ import work
from admin.access.kubernetes import KubernetesAccess
from admin.access.rights import VERBS
from admin.app import admin_application
from admin.settings import AdminSettings
from admin.views import RPC_TIMEOUT
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.layout import Layout
from testing.api_server import connected
from testing.deadlines import PATIENCE_S
from testing.kubectl_client import Kubectl
from testing.ports import free_port
from testing.rights_in_effect import await_right
from testing.workspaces import workspace

HOST: Final = "modelyard-admin"
AUDIENCE: Final = "modelyard-admin"
PEOPLE: Final = {"reader": "get,list", "editor": "get,update", "owner": "delete", "nobody": ""}
"""ServiceAccounts and their verbs on Workspaces, in one namespace."""
ALLOWED: Final = {"get": {"reader", "editor"}, "list": {"reader"}, "update": {"editor"}, "delete": {"owner"}}


@pytest.fixture(scope="module")
def tenant(api_server: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """A namespace with PEOPLE in it."""
    folder = tmp_path_factory.mktemp("kubectl")
    made = Kubectl(api_server.admin_kubeconfig, folder, folder, f"tenant-{os.urandom(4).hex()}")
    made("create", "namespace", made.namespace)
    for name, verbs in PEOPLE.items():
        made("create", "serviceaccount", name)
        if verbs:
            made("create", "role", name, f"--verb={verbs}", "--resource=workspaces.kaito.sh")
            made("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={made.namespace}:{name}")
            user = f"system:serviceaccount:{made.namespace}:{name}"
            await_right(
                api_server, user, verbs.partition(",")[0], "workspaces", group="kaito.sh", namespace=made.namespace
            )
    yield made
    made("delete", "namespace", made.namespace, "--wait=false")


@pytest.fixture(scope="module")
def tokens(tenant: Kubectl) -> dict[str, str]:
    return {name: tenant("create", "token", name).strip() for name in PEOPLE}


@pytest.fixture
async def cluster(api_server: Layout) -> AsyncIterator[Cluster]:
    """With the rights that the admin service has."""
    async with connected(api_server, "modelyard:admin") as made:
        yield made


async def admin(access: KubernetesAccess) -> httpx.AsyncClient:
    temporal = await Client.connect("127.0.0.1:1", lazy=True)
    transport = httpx.ASGITransport(admin_application(temporal, access, {HOST}), raise_app_exceptions=False)
    timeout = RPC_TIMEOUT.total_seconds() + PATIENCE_S
    return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", timeout=timeout)


@pytest.fixture
async def http(cluster: Cluster) -> AsyncIterator[httpx.AsyncClient]:
    async with await admin(KubernetesAccess(cluster)) as client:
        yield client


def of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), [*VERBS, ("GET", "/"), ("GET", "/openapi.json"), ("GET", "/metrics")])
@pytest.mark.parametrize("token", [None, "", "guessed", "a.b.c"])
async def test_a_stranger_is_told_nothing(http: httpx.AsyncClient, method: str, path: str, token: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({} if token is None else of(token))
    answer = await http.request(method, path.format(namespace="default", name="w"), headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "kubectl create token" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [each for each in VERBS if "{name}" in each[1]])
async def test_each_request_needs_its_right_in_its_namespace(
    http: httpx.AsyncClient, tenant: Kubectl, tokens: dict[str, str], method: str, path: str
) -> None:
    verb = VERBS[method, path]
    for who, token in tokens.items():
        answer = await asked(http, method, path.format(namespace=tenant.namespace, name="w"), token)
        assert (answer.status_code if answer.status_code < 500 else who) == (who if who in ALLOWED[verb] else 403)
        if answer.status_code == 403:
            said = answer.json()["detail"]
            assert f"{verb} workspaces.kaito.sh/w in namespace {tenant.namespace}" in said
            assert f"kubectl auth can-i {verb} workspaces.kaito.sh/w --namespace {tenant.namespace}" in said
        elsewhere = await asked(http, method, path.format(namespace="default", name="w"), token)
        assert elsewhere.status_code == 403


async def asked(http: httpx.AsyncClient, method: str, path: str, token: str) -> httpx.Response:
    body: dict[str, int] | None = {} if method == "PUT" else None
    return await http.request(method, path, headers=of(token), json=body)


async def test_a_tenant_lists_its_own_namespace_and_not_the_others(
    http: httpx.AsyncClient, tenant: Kubectl, tokens: dict[str, str]
) -> None:
    reader = tokens["reader"]
    refused = await asked(http, "GET", "/workspaces", reader)
    assert (refused.status_code, "in all namespaces" in refused.text) == (403, True)
    assert (await asked(http, "GET", "/workspaces?namespace=default", reader)).status_code == 403
    assert (await asked(http, "GET", f"/workspaces?namespace={tenant.namespace}", reader)).is_server_error


@pytest.mark.parametrize("trick", ["x' OR '1'='1", "a/b", "A", "%2e%2e", "x" * 64])
async def test_a_namespace_is_never_a_part_of_a_query(
    http: httpx.AsyncClient, tokens: dict[str, str], trick: str
) -> None:
    answer = await http.get("/workspaces", params={"namespace": trick}, headers=of(tokens["reader"]))
    assert answer.status_code == 422


async def test_whoever_is_known_plans_without_a_right(http: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    answer = await http.post("/plan", json=workspace("w"), headers=of(tokens["nobody"]))
    assert (answer.status_code, "nodes" in answer.json()) == (200, True)


async def test_a_token_for_another_service_opens_nothing(
    cluster: Cluster, tenant: Kubectl, tokens: dict[str, str]
) -> None:
    ours = tenant("create", "token", "nobody", f"--audience={AUDIENCE}").strip()
    async with await admin(KubernetesAccess(cluster, [AUDIENCE])) as http:
        assert (await http.post("/plan", json=workspace("w"), headers=of(ours))).status_code == 200
        refused = await http.post("/plan", json=workspace("w"), headers=of(tokens["nobody"]))
        assert (refused.status_code, f"--audience {AUDIENCE}" in refused.text) == (401, True)
    async with await admin(KubernetesAccess(cluster)) as http:
        assert (await http.post("/plan", json=workspace("w"), headers=of(ours))).status_code == 401


async def test_the_token_of_a_deleted_account_opens_nothing(cluster: Cluster, tenant: Kubectl) -> None:
    tenant("create", "serviceaccount", "leaving")
    token = tenant("create", "token", "leaving").strip()
    async with await admin(KubernetesAccess(cluster)) as http:
        assert (await http.post("/plan", json=workspace("w"), headers=of(token))).status_code == 200
        tenant("delete", "serviceaccount", "leaving")
        async with asyncio.timeout(PATIENCE_S):  # the API server's own memory of tokens, and ours
            while (await http.post("/plan", json=workspace("w"), headers=of(token))).status_code != 401:
                await asyncio.sleep(0.5)


async def test_nobody_is_let_in_where_nobody_can_be_asked(tmp_path: Path, api_server: Layout) -> None:
    async with (
        connected(api_server, "modelyard:cloud-worker") as without_rights,
        await admin(KubernetesAccess(without_rights)) as http,
    ):
        answer = await http.post("/plan", json=workspace("w"), headers=of("any"))
        assert (answer.status_code, "TokenReview" in answer.text) == (503, True)


async def test_the_process_is_asked_over_tls_and_by_names_of_its_own_only(
    api_server: Layout, tokens: dict[str, str]
) -> None:
    ports = [free_port(), free_port()]
    settings = AdminSettings(
        kubeconfig=str(mint_kubeconfig(api_server, "modelyard:admin")),
        admin_address=f"0.0.0.0:{ports[0]}",
        metrics_address=f"127.0.0.1:{ports[1]}",
    )
    stop = asyncio.Event()
    served = asyncio.create_task(work(settings, stop))
    at, sent = f"https://127.0.0.1:{ports[0]}", workspace("w")
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=PATIENCE_S) as http:
        async with asyncio.timeout(PATIENCE_S):
            while not await ready(http, f"http://127.0.0.1:{ports[1]}/readyz", served):
                await asyncio.sleep(0.1)
        assert (await http.post(f"{at}/plan", json=sent, headers=of(tokens["nobody"]))).status_code == 200
        assert (await http.post(f"{at}/plan", json=sent)).status_code == 401
        assert (await http.post(f"{at}/plan", json=sent, headers={"Host": "evil.example"})).status_code == 421
        assert (await http.get(f"{at}/healthz")).status_code == 200
        metrics = (await http.get(f"http://127.0.0.1:{ports[1]}/metrics")).text
        assert 'resource="tokenreviews"' in metrics and tokens["nobody"] not in metrics
        with pytest.raises(httpx.TransportError):
            await http.get(f"http://127.0.0.1:{ports[0]}/healthz")
    stop.set()
    await served


async def ready(http: httpx.AsyncClient, url: str, served: "asyncio.Task[None]") -> bool:
    """Raises what the process ended with, should it."""
    if served.done():
        served.result()
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False
