"""Runs etcd and kube-apiserver alone, on ports of their own, for tests of what is stored; no controller acts on it."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from deploy.local.cluster.control_plane import start_control_plane, stop_control_plane
from deploy.local.layout import Layout, Ports


@contextlib.contextmanager
def api_server_alone(folder: Path) -> Iterator[Layout]:
    """Runs during the block, with its state below the folder."""
    layout = replace(Layout.of("test", with_nodes=False), state=folder / "state", ports=_free_ports())
    start_control_plane(layout, controllers=False)
    try:
        yield layout
    finally:
        stop_control_plane(layout)


def _free_ports() -> Ports:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in fields(Ports)]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return Ports(**dict(zip((field.name for field in fields(Ports)), numbers, strict=True)))
