"""One API server for all tests that look at what is stored; nothing acts on it.

Tests keep to namespaces, Nodes and pools of their own. What holds for the whole server, a registration for admission
above all, goes with the package that brought it.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from activities.clients.kubernetes import Cluster
from deploy.local.layout import Layout
from testing.api_server import WORKER, api_server_alone, connected


@pytest.fixture(scope="session")
def shared_api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """etcd and kube-apiserver on loopback, without controllers; gone after the tests."""
    with api_server_alone(tmp_path_factory.mktemp("api-server")) as layout:
        yield layout


@pytest.fixture
async def admin(api_server: Layout) -> AsyncIterator[Cluster]:
    """With the owner's rights, on the API server of the test's package."""
    async with connected(api_server) as cluster:
        yield cluster


@pytest.fixture
async def worker(api_server: Layout) -> AsyncIterator[Cluster]:
    """With the rights that are shipped, on the same."""
    async with connected(api_server, WORKER) as cluster:
        yield cluster
