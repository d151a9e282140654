"""The state of an instance: what is ready, what is not, and how it is shown."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.layout import Layout
from deploy.local.services.pods import PodStatus, pod_status
from deploy.local.stack.choices import Choices, remember
from deploy.local.stack.components import Component
from deploy.local.stack.status import NodeStatus, StackStatus, node_status, process_status, read_status
from deploy.local.stack.status_table import print_status

NODE = {
    "metadata": {"name": "gpu-0", "labels": {"agentpool": "ws1", "node.kubernetes.io/instance-type": "NC24"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": "2"}},
}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    layout = Layout.of("test")
    yield layout
    for name in daemons.running(layout):
        daemons.stop(layout, name)


def shown(status: StackStatus) -> str:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    print_status(status, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_instance_that_never_ran_is_down(layout: Layout) -> None:
    status = read_status("test")
    assert (status.up, status.well, status.processes) == (False, False, [])
    assert "is down" in shown(status)


def test_every_process_that_should_run_is_listed_when_none_does(layout: Layout) -> None:
    remember(layout, Choices())
    status = read_status("test")
    assert {"etcd", "kube-apiserver", "temporal", "arm", "watcher"} <= {each.name for each in status.processes}
    assert {each.state for each in status.processes} == {"stopped"}
    assert status.problems == ["the nodes are unknown: the cluster has not been started"]
    assert not status.well


@pytest.mark.parametrize(("answers", "state"), [(True, "ready"), (False, "not ready")])
def test_a_process_that_runs_is_ready_when_it_answers(layout: Layout, answers: bool, state: str) -> None:
    pid = daemons.start(layout, Daemon("registry", ("sleep", "60"), ready=lambda: True))
    component = Component("registry", "127.0.0.1:1", ready=lambda: answers)
    found = process_status(layout, component, daemons.running(layout))
    assert (found.state, found.pid) == (state, pid)
    assert found.running_s is not None and 0 <= found.running_s < 60


def test_what_still_runs_of_an_instance_that_is_down_is_shown(layout: Layout) -> None:
    daemons.start(layout, Daemon("leftover", ("sleep", "60"), ready=lambda: True))
    status = read_status("test")
    assert [each.name for each in status.processes] == ["leftover"]
    assert "leftover" in shown(status)


def test_a_nodes_facts_are_read_from_its_object() -> None:
    assert node_status(NODE) == NodeStatus("gpu-0", ready=True, pool="ws1", instance_type="NC24", gpus=2)
    bare = {"metadata": {"name": "new"}}
    assert node_status(bare) == NodeStatus("new", ready=False, pool="", instance_type="", gpus=0)


def test_a_pods_facts_are_read_from_its_object() -> None:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]
    status = {"conditions": conditions, "containerStatuses": [{"restartCount": 2}, {"restartCount": 1}]}
    assert pod_status({"metadata": {"name": "one"}, "status": status}) == PodStatus("one", ready=True, restarts=3)
    assert pod_status({"metadata": {"name": "new"}}) == PodStatus("new", ready=False, restarts=0)


def test_pods_are_part_of_what_has_to_be_well(layout: Layout) -> None:
    def with_pod(ready: bool) -> StackStatus:
        pods = [PodStatus("modelyard-watcher-1", ready=ready, restarts=4)]
        return StackStatus("test", True, "kubeconfig", "logs", [], [], pods, [])

    assert (with_pod(True).well, with_pod(False).well) == (True, False)
    [line] = [line.split() for line in shown(with_pod(False)).splitlines() if "modelyard-watcher-1" in line]
    assert line == ["modelyard-watcher-1", "not", "ready", "4"]


def test_a_cluster_that_cannot_be_asked_for_pods_is_a_problem(layout: Layout) -> None:
    remember(layout, Choices(pods=True))
    problems = read_status("test").problems
    assert len(problems) == 2 and problems[1].startswith("the pods of the control plane are unknown: ")
