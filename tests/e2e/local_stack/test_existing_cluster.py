"""`up --kubeconfig`: only what a cluster lacks is started, and a Workspace there gets its nodes."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local.cluster import control_plane
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo.demo import EXAMPLE
from deploy.local.host import daemons
from deploy.local.layout import Layout
from tests.e2e.local_stack.commands import INSTANCE, modelyard_local, succeed

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bare API server of somebody else's."""
    elsewhere = Layout.of("integration", with_nodes=False)
    elsewhere = replace(elsewhere, state=tmp_path_factory.mktemp("elsewhere"))
    try:
        control_plane.start_control_plane(elsewhere, controllers=False)
        yield elsewhere.admin_kubeconfig
    finally:
        control_plane.stop_control_plane(elsewhere)


@pytest.fixture(scope="module")
def layout(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MODELYARD_HOME", str(tmp_path_factory.mktemp("home")))
        # No hub is reachable from tests; the workload would not start here anyway.
        environment.setenv("MODELYARD_HF_ENDPOINT", "http://127.0.0.1:9")
        try:
            succeed("up", "--kubeconfig", str(kubeconfig))
            yield Layout.of(INSTANCE, with_nodes=False)
        finally:
            modelyard_local("down", "--purge")


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(modelyard_local("status", "--json").text)
    return found


def test_only_what_the_cluster_lacks_is_started(layout: Layout, kubeconfig: Path) -> None:
    ready = {process["name"] for process in status()["processes"] if process["state"] == "ready"}
    assert ready == {"temporal", "arm", "watcher", "worker-cluster", "worker-cloud", "admin"}
    assert status()["kubeconfig"] == str(kubeconfig)
    assert not Path("/sys/class/net", layout.bridge).exists()


def test_a_workspace_is_taken_up(layout: Layout, kubeconfig: Path) -> None:
    kubectl(kubeconfig, "apply", "-f", str(EXAMPLE))
    ends = time.monotonic() + 120
    # The first status says that the Workspace was seen; the generation is observed once it has been read.
    while kubectl_json(kubeconfig, "get", "workspace", "smollm2").get("status", {}).get("observedGeneration") != 1:
        assert time.monotonic() < ends, "nobody took the Workspace up within 120 s"
        time.sleep(0.5)
    kubectl(kubeconfig, "delete", "workspace", "smollm2", "--timeout=120s", deadline_s=130)


def test_down_stops_ours_and_leaves_the_cluster(layout: Layout, kubeconfig: Path) -> None:
    succeed("down")
    assert daemons.running(layout) == {}
    assert "workspaces" in kubectl(kubeconfig, "get", "crds", "-o", "name")
    assert os.path.exists(kubeconfig)
