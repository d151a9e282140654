"""`up` from nothing, `up` again, `up` after a crash, `up` interrupted; and `down`, after which nothing is left.

What is killed of Modelyard itself is a process of this machine or of a pod, as the stack runs it.
"""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.cluster import kubectl
from deploy.local.host import daemons
from deploy.local.layout import Layout
from deploy.local.network import bridge
from testing.machine_snapshot import Snapshot, snapshot
from testing.pods.processes import in_containers
from tests.e2e.local_stack.commands import INSTANCE, begin, modelyard_local, succeed

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="nodes need root"),
]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MODELYARD_HOME", str(tmp_path_factory.mktemp("home")))
        yield Layout.of(INSTANCE)
        modelyard_local("down", "--purge")


@pytest.fixture(scope="module")
def before(layout: Layout) -> Snapshot:
    return snapshot(layout)


@pytest.fixture
def up(layout: Layout, before: Snapshot) -> Layout:
    succeed("up")
    return layout


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(modelyard_local("status", "--json").text)
    return found


def states() -> dict[str, str]:
    """Of every process and every pod."""
    found = status()
    pods = {pod["name"]: "ready" if pod["ready"] else "not ready" for pod in found["pods"]}
    return pods | {process["name"]: process["state"] for process in found["processes"]}


def pid_of(layout: Layout, name: str) -> int:
    """Of a daemon, or of the oldest process in a pod that runs the module of this name."""
    running = daemons.running(layout)
    return running[name] if name in running else in_containers(layout, name)[0].pid


def test_up_makes_all_ready_and_up_again_keeps_every_process(up: Layout) -> None:
    assert set(states().values()) == {"ready"}
    succeed("status")
    pids, pods = daemons.running(up), status()["pods"]
    succeed("up")
    assert (daemons.running(up), status()["pods"]) == (pids, pods)


def test_up_repairs_what_was_killed_and_keeps_what_the_cluster_knew(up: Layout) -> None:
    kubectl.kubectl(up.admin_kubeconfig, "create", "configmap", "remembered")
    killed = ("kube-apiserver", "registry", "temporal", "kubelet-system-0", "arm")
    for name in (*killed, "watcher"):
        os.kill(pid_of(up, name), signal.SIGKILL)
    assert {name for name, state in states().items() if state != "ready"} >= set(killed)
    assert modelyard_local("status").code == 1
    succeed("up")
    assert set(states().values()) == {"ready"}
    kubectl.kubectl(up.admin_kubeconfig, "get", "configmap", "remembered")


def test_down_leaves_nothing_and_the_state_outlives_it(up: Layout, before: Snapshot) -> None:
    kubectl.kubectl(up.admin_kubeconfig, "create", "configmap", "outlived")
    succeed("down")
    assert snapshot(up) == before
    assert daemons.running(up) == {}
    assert modelyard_local("status").code == 1
    succeed("up")
    kubectl.kubectl(up.admin_kubeconfig, "get", "configmap", "outlived")


def test_an_interrupted_up_can_be_taken_down(layout: Layout, before: Snapshot) -> None:
    succeed("down", "--purge")
    running = begin("up")
    assert running.stdout is not None
    for line in running.stdout:
        if "start" in line and "control plane" in line:
            break
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=120)
    assert running.returncode == 1, rest
    assert "Interrupted" in rest
    succeed("down", "--purge")
    assert snapshot(layout) == before
    assert not layout.state.exists()


def test_an_installation_of_the_chart_that_was_interrupted_is_completed(layout: Layout, before: Snapshot) -> None:
    succeed("down", "--purge")
    running = begin("up")
    assert running.stdout is not None
    if not any("until the pods of the control plane are ready" in line for line in running.stdout):
        assert running.wait(timeout=60) == 0
        pytest.skip("this Kubernetes is too old for the chart")
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=120)
    assert running.returncode == 1, rest
    succeed("up")
    assert set(states().values()) == {"ready"}


def test_a_taken_port_is_named_with_its_holder_and_nothing_is_started(layout: Layout, before: Snapshot) -> None:
    succeed("down", "--purge")
    with socket.create_server(("0.0.0.0", layout.ports.registry)):
        outcome = modelyard_local("up")
    assert outcome.code == 1
    for part in (f"port {layout.ports.registry} (registry)", f"pid {os.getpid()}", "--instance"):
        assert part in outcome.text
    assert daemons.running(layout) == {}


def test_half_a_network_is_completed(layout: Layout, before: Snapshot) -> None:
    succeed("down", "--purge")
    bridge.ensure_network(layout)
    subprocess.run(["ip", "link", "delete", layout.bridge], check=True)
    succeed("up")
    assert set(states().values()) == {"ready"}


def test_another_cluster_cannot_be_slipped_under_a_stack_that_is_up(up: Layout, tmp_path: Path) -> None:
    other = tmp_path / "kubeconfig"
    other.write_text("kind: Config")
    outcome = modelyard_local("up", "--kubeconfig", str(other))
    assert outcome.code == 2
    assert f"modelyard local down --instance {INSTANCE}" in outcome.text
