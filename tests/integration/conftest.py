"""One API server for all tests that look at what is stored; nothing acts on it.

Tests keep to namespaces, Nodes and pools of their own. What holds for the whole server, a registration for admission
above all, goes with the package that brought it.
"""

from collections.abc import Iterator

import pytest

from deploy.local.layout import Layout
from testing.api_server import api_server_alone


@pytest.fixture(scope="session")
def shared_api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """etcd and kube-apiserver on loopback, without controllers; gone after the tests."""
    with api_server_alone(tmp_path_factory.mktemp("api-server")) as layout:
        yield layout
