"""Where rights are bound to some namespaces, Secrets of the others cannot be read, and nothing is bought for them."""

import asyncio

import pytest
from kubernetes.aio.client.exceptions import ApiException
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Cluster
from activities.preflight.namespaces import NamespaceRights
from deploy.local.layout import Layout
from testing.api_server import WORKER, connected
from testing.rights_in_effect import await_right
from tests.integration.attacks.tenants import Tenant

SOME = "some-namespaces-worker"
ROLE = "modelyard:namespaces"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"


async def bind(layout: Layout, admin: Cluster, tenant: Tenant) -> None:
    """As docs/operations.md says, for a worker that has this role nowhere else."""
    group = "rbac.authorization.k8s.io"
    body = {
        "metadata": {"name": ROLE},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ROLE},
        "subjects": [{"apiGroup": group, "kind": "User", "name": SOME}],
    }
    await admin.request("POST", BINDINGS.format(tenant.namespace), body=body)
    await asyncio.to_thread(
        await_right, layout, SOME, "create", "deployments", group="apps", namespace=tenant.namespace
    )


async def test_a_secret_elsewhere_cannot_be_read(api_server: Layout, admin: Cluster) -> None:
    inside, outside = await Tenant.new(admin), await Tenant.new(admin)
    await bind(api_server, admin, inside)
    async with connected(api_server, SOME) as worker:
        for tenant in (inside, outside):
            await tenant.secret("token", "x")
        assert await worker.get("Secret", "token", inside.namespace) is not None
        with pytest.raises(ApiException) as forbidden:
            await worker.get("Secret", "token", outside.namespace)
        assert forbidden.value.status == 403


async def test_a_workspace_elsewhere_is_refused_before_money_is_spent(api_server: Layout, admin: Cluster) -> None:
    inside, outside = await Tenant.new(admin), await Tenant.new(admin)
    await bind(api_server, admin, inside)
    async with connected(api_server, SOME) as worker:
        rights = NamespaceRights(worker)
        await rights.require(inside.namespace)
        with pytest.raises(ApplicationError, match=f"namespace {outside.namespace} does not take part") as refused:
            await rights.require(outside.namespace)
        assert refused.value.type == "ApiServerRefused" and refused.value.non_retryable
        await bind(api_server, admin, outside)
        await rights.require(outside.namespace)  # at once, as somebody has mended it


async def test_every_namespace_takes_part_where_the_shipped_roles_are_as_they_are(
    api_server: Layout, admin: Cluster
) -> None:
    async with connected(api_server, WORKER) as worker:
        await NamespaceRights(worker).require((await Tenant.new(admin)).namespace)
