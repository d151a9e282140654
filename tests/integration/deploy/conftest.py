"""A layout on loopback with ports that nobody uses, for tests that start one daemon of the stack."""

import socket
from dataclasses import fields, replace
from pathlib import Path

import pytest

from deploy.local.layout import Layout, Ports


@pytest.fixture
def free_layout(tmp_path: Path) -> Layout:
    """State and cache below the test's folder; every port was free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in fields(Ports)]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    ports = Ports(**dict(zip((field.name for field in fields(Ports)), numbers, strict=True)))
    return replace(Layout.of("test", with_nodes=False), state=tmp_path / "state", cache=tmp_path / "cache", ports=ports)
