"""The API server that integration tests use: on loopback, without network, nodes or controllers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.cluster import control_plane, owner_client
from deploy.local.host import daemons
from deploy.local.kubernetes import binaries
from deploy.local.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    layout = Layout.of("cluster", with_nodes=False)
    assert binaries.find_binaries(layout), "no Kubernetes programs: `modelyard local up` gets them"
    yield layout
    control_plane.stop_control_plane(layout)


def test_it_serves_keeps_what_it_is_given_over_a_kill_and_leaves_no_process(layout: Layout) -> None:
    control_plane.start_control_plane(layout, controllers=False)
    assert sorted(daemons.running(layout)) == ["etcd", "kube-apiserver"]
    path = "/api/v1/namespaces/default/configmaps/kept"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"colour": "red"}}
    owner_client.apply(layout, path, manifest)
    daemons.stop(layout, "kube-apiserver", deadline_s=0)
    daemons.stop(layout, "etcd", deadline_s=0)
    control_plane.start_control_plane(layout, controllers=False)
    assert owner_client.request(layout, "GET", path)["data"] == {"colour": "red"}
    began = time.monotonic()
    control_plane.stop_control_plane(layout)
    assert daemons.running(layout) == {}
    assert time.monotonic() - began < 30, "it would wait a minute for its clients"
    with pytest.raises(owner_client.ClusterApiError, match="not reached"):
        owner_client.read(layout, path)
