"""What makes a machine unfit, and that each problem names its fix."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.host.listeners import UNKNOWN_PID, Listener, listeners
from deploy.local.layout import Layout
from deploy.local.stack import checks

NGINX = Listener("0.0.0.0", 15000, 77, "nginx: master process")
REGISTRY = {"registry": ("10.201.0.1", 15000)}


def test_a_listener_of_ours_is_found_with_pid_and_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [listener for listener in listeners() if listener.port == port]
    assert [(one.address, one.pid) for one in found] == [("127.0.0.1", os.getpid())]
    assert Path(sys.executable).name in found[0].command


def test_a_listener_on_ipv6_is_found() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert [listener.address for listener in listeners() if listener.port == port] == ["::1"]


def test_a_connection_is_not_taken_for_a_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = client.getsockname()[1]
        assert [listener for listener in listeners() if listener.port == port] == []


def test_a_listener_is_described_as_far_as_it_is_visible() -> None:
    assert str(NGINX) == "pid 77 (nginx: master process) on 0.0.0.0:15000"
    assert str(replace(NGINX, pid=UNKNOWN_PID, command="")) == "a process only root can see on 0.0.0.0:15000"


def test_a_taken_port_is_named_with_its_listener_and_the_fix() -> None:
    problems = checks.port_problems(REGISTRY, "demo", [NGINX], own=set())
    assert len(problems) == 1
    for part in ("port 15000 (registry)", "pid 77 (nginx: master process)", "--instance"):
        assert part in problems[0]


@pytest.mark.parametrize(
    ("listener", "own"),
    [
        pytest.param(NGINX, {77}, id="our own daemon holds it"),
        pytest.param(Listener("192.0.2.1", 15000, 77, "nginx"), set(), id="on another address"),
        pytest.param(Listener("0.0.0.0", 15001, 77, "nginx"), set(), id="another port"),
    ],
)
def test_a_port_is_not_taken_when(listener: Listener, own: set[int]) -> None:
    assert checks.port_problems(REGISTRY, "demo", [listener], own) == []


@pytest.mark.parametrize(
    ("problems", "parts"),
    [
        pytest.param(checks.root_problems(1000), ("root", "sudo"), id="not root"),
        pytest.param(checks.system_problems("Darwin", "arm64"), ("Darwin", "Linux"), id="not Linux"),
        pytest.param(checks.memory_problems(2.0), ("2.0 GiB", "6 GiB"), id="little memory"),
        pytest.param(checks.disk_problems({Path("/x"): 10 << 30}, cached=False), ("10.0", "25"), id="first run"),
        pytest.param(checks.disk_problems({Path("/x"): 7 << 30}, cached=True), ("7.0", "8"), id="later run"),
    ],
)
def test_a_problem_names_the_figures_and_the_fix(problems: list[str], parts: tuple[str, ...]) -> None:
    assert len(problems) == 1
    assert "Fix: " in problems[0]
    for part in parts:
        assert part in problems[0]


def test_a_machine_that_suffices_has_no_problem() -> None:
    assert checks.root_problems(0) == checks.system_problems("Linux", "x86_64") == []
    assert checks.memory_problems(6.0) == checks.disk_problems({Path("/x"): 10 << 30}, cached=True) == []


def test_available_memory_is_read_in_gib() -> None:
    assert checks.memory_available("MemTotal: 1 kB\nMemAvailable:    8388608 kB\n") == 8.0


def test_all_problems_are_reported_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        addresses = {"registry": one.getsockname(), "mirror": two.getsockname()}
        with pytest.raises(checks.MachineUnfit) as unfit:
            checks.check_machine(Layout.of("test", with_nodes=False), addresses, root=False)
    assert str(unfit.value).count("is taken by") == 2
