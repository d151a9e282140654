"""A control plane with Kubernetes' own controllers, and namespaces that refuse pods."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from activities.clients.kubernetes import Cluster
from deploy.local.layout import Layout
from testing.api_server import control_plane as running
from tests.integration.attacks.tenants import WORKER, connected, ensure_installed
from tests.integration.controllers.namespaces import Namespace


@pytest.fixture(scope="package")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with running(tmp_path_factory.mktemp("control-plane")) as layout:
        ensure_installed(layout)
        yield layout


@pytest.fixture
async def admin(control_plane: Layout) -> AsyncIterator[Cluster]:
    async with connected(control_plane) as cluster:
        yield cluster


@pytest.fixture
async def worker(control_plane: Layout) -> AsyncIterator[Cluster]:
    """With the rights that are shipped."""
    async with connected(control_plane, WORKER) as cluster:
        yield cluster


@pytest.fixture
async def namespace(admin: Cluster) -> Namespace:
    return await Namespace.new(admin, f"team-{os.urandom(4).hex()}")
