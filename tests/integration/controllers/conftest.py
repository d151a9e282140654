"""A control plane with Kubernetes' own controllers, and namespaces that refuse pods."""

import os
from collections.abc import Iterator

import pytest

from activities.clients.kubernetes import Cluster
from deploy.local.layout import Layout
from testing.api_server import control_plane, ensure_installed
from tests.integration.controllers.namespaces import Namespace


@pytest.fixture(scope="package")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with control_plane(tmp_path_factory.mktemp("control-plane")) as layout:
        ensure_installed(layout)
        yield layout


@pytest.fixture
async def namespace(admin: Cluster) -> Namespace:
    return await Namespace.new(admin, f"team-{os.urandom(4).hex()}")
