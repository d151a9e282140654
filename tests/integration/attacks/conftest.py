"""A tenant on a real API server with the shipped roles, and who writes what tenants and controllers would."""

import pytest

from activities.clients.kubernetes import Cluster
from deploy.local.layout import Layout
from testing.api_server import ensure_installed
from tests.integration.attacks.tenants import Tenant


@pytest.fixture(scope="module")
def api_server(shared_api_server: Layout) -> Layout:
    """With the CRD and the roles."""
    ensure_installed(shared_api_server)
    return shared_api_server


@pytest.fixture
async def tenant(admin: Cluster) -> Tenant:
    return await Tenant.new(admin)
