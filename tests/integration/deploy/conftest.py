"""A layout on loopback with ports that nobody uses, for tests that start one daemon of the stack."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.layout import Layout
from testing.ports import free_ports


@pytest.fixture
def free_layout(tmp_path: Path) -> Layout:
    """State and cache below the test's folder."""
    layout = Layout.of("test", with_nodes=False)
    return replace(layout, state=tmp_path / "state", cache=tmp_path / "cache", ports=free_ports())
