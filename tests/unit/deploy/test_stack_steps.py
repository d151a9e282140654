"""The graphs of up and down: they can be run, and contain what they should and nothing else."""

from pathlib import Path

import pytest

from deploy.local.layout import LOOPBACK, Layout
from deploy.local.stack import down, graph, prepare
from deploy.local.stack.choices import Choices
from deploy.local.stack.components import addresses_needed, components_of
from deploy.local.stack.runner import Step, order_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


OWN, PODS, EXISTING = Choices(), Choices(pods=True), Choices(Path("/kubeconfig"))


def steps_up(choices: Choices) -> dict[str, Step]:
    steps = graph.steps_of(choices.layout("test"), choices)
    order_of(steps)
    return {step.name: step for step in steps}


def in_order(steps: list[Step]) -> list[str]:
    """Of the names, each as early as it can be."""
    return startable(steps, done={step.name for step in steps})


def startable(steps: list[Step], done: set[str]) -> list[str]:
    """Those that can start, or could, once these are done."""
    order, found = order_of(steps), list[str]()
    while able := order.get_ready():
        found += able
        order.done(*done.intersection(able))
    return found


def test_an_existing_cluster_gets_only_what_it_lacks() -> None:
    assert set(steps_up(EXISTING)) == {
        "machine", "Temporal", "CRDs", "roles", "device plugin", "ARM emulator", "watcher", "worker-cluster",
        "worker-cloud", "admin",
    }  # fmt: skip


def test_pods_take_the_place_of_processes_and_of_what_the_chart_brings() -> None:
    processes, pods = set(steps_up(OWN)), set(steps_up(PODS))
    programs = {"watcher", "worker-cluster", "worker-cloud", "admin", "webhook"}
    assert processes - pods == programs | {"CRDs", "roles", "admission"}
    assert pods - processes == {"Helm", "control plane's image", "Temporal for pods", "chart", "admin service"}


def test_the_chart_is_installed_when_all_is_there_that_its_pods_need_to_be_ready() -> None:
    needs = set(steps_up(PODS)["chart"].needs)
    assert {"system node", "control plane's image", "Temporal for pods", "ARM emulator", "model mirror"} <= needs
    assert "images" not in needs, "images of models take minutes, and no pod of the control plane needs one"


def test_long_work_does_not_wait_for_other_long_work() -> None:
    steps = list(steps_up(OWN).values())
    first = startable(steps, {"machine", "system packages", "network", "registry"})
    assert {"Kubernetes programs", "runtime environment", "Temporal"} <= set(first)


def test_a_stack_that_only_serves_waits_for_no_image_that_trains() -> None:
    layout = OWN.layout("test")
    every, serving = ({step.name for step in graph.steps_of(layout, OWN, tuning=tuning)} for tuning in (True, False))
    assert every - serving == {"images for tuning"}


def test_programs_come_last_and_need_all_that_they_speak_to() -> None:
    needs = steps_up(OWN)["worker-cluster"].needs
    assert {"roles", "Temporal", "ARM emulator", "model mirror"} <= set(needs)


def test_models_that_are_there_need_no_runtime_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "missing_repos", lambda cache: [])
    steps = steps_up(OWN)
    assert "runtime environment" not in steps
    assert steps["models and data"].needs == ("machine",)


def test_preparing_makes_all_that_takes_long_and_starts_nothing() -> None:
    steps = prepare.preparing_steps(Layout.of("test"))
    order_of(steps)
    assert {step.name for step in steps} == {
        "machine", "system packages", "Kubernetes programs", "Helm", "images", "runtime environment", "models and data",
    }  # fmt: skip


@pytest.mark.parametrize("purge", [False, True])
def test_going_down_stops_writers_before_what_they_write_to(purge: bool) -> None:
    steps = down.steps_of(Layout.of("test"), purge=purge)
    stopped = in_order(steps)
    for first, later in (("watcher", "temporal"), ("arm", "control plane"), ("control plane", "network")):
        assert stopped.index(first) < stopped.index(later)
    assert stopped[-1] == ("state" if purge else "the rest")


def test_pods_of_the_control_plane_go_before_what_they_speak_to() -> None:
    steps = {step.name: step for step in down.steps_of(Layout.of("test"), purge=False)}
    for later in ("arm", "temporal"):
        assert {"system node", "admin-forwarder", "temporal-forwarder"} <= set(steps[later].needs)


def test_an_existing_clusters_network_is_not_touched_on_the_way_down() -> None:
    names = {step.name for step in down.steps_of(EXISTING.layout("test"), purge=False)}
    assert names.isdisjoint({"network", "control plane"})


def test_instances_need_different_addresses() -> None:
    layouts = [Layout.of(instance) for instance in ("demo", "test")]
    for choices in (OWN, PODS):
        one, other = ({port for _, port in addresses_needed(layout, choices).values()} for layout in layouts)
        assert one.isdisjoint(other)


def test_only_addresses_of_this_machine_are_needed() -> None:
    layout = Layout.of("test")
    assert {host for host, _ in addresses_needed(layout, OWN).values()} == {layout.address, LOOPBACK}
    gateway = next(each for each in components_of(layout, OWN) if each.name == "kube-proxy-gateway")
    assert gateway.name not in addresses_needed(layout, OWN)
