import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.host import daemons, processes
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S

SERVE = "import pathlib, sys, time; print('hello', flush=True); pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
FORK = (
    "import pathlib, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "child = subprocess.Popen(['sleep', '600']); pathlib.Path(sys.argv[1]).write_text(str(child.pid)); time.sleep(600)"
)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    layout = Layout.of("test", with_nodes=False)
    yield layout
    for name in daemons.running(layout):
        daemons.stop(layout, name, deadline_s=0.1)


def a_daemon(flag: Path, code: str = SERVE, deadline_s: float = PATIENCE_S) -> daemons.Daemon:
    return daemons.Daemon("sleeper", (sys.executable, "-c", code, str(flag)), ready=flag.exists, deadline_s=deadline_s)


def test_starting_twice_keeps_the_first_process(layout: Layout, tmp_path: Path) -> None:
    first = daemons.start(layout, a_daemon(tmp_path / "flag"))
    assert daemons.start(layout, a_daemon(tmp_path / "flag")) == first
    assert daemons.running(layout) == {"sleeper": first}
    assert daemons.log_of(layout, "sleeper").read_text() == "hello\n"


def test_a_changed_environment_replaces_the_process(layout: Layout, tmp_path: Path) -> None:
    daemon = a_daemon(tmp_path / "flag")
    first = daemons.start(layout, daemon)
    second = daemons.start(layout, replace(daemon, env={"COLOUR": "red"}))
    assert second != first
    assert daemons.running(layout) == {"sleeper": second}


def test_stopping_ends_children_too_even_when_the_daemon_ignores_the_signal(layout: Layout, tmp_path: Path) -> None:
    daemons.start(layout, a_daemon(tmp_path / "flag", FORK))
    while not (tmp_path / "flag").read_text():
        time.sleep(0.01)
    child = processes.find_process(int((tmp_path / "flag").read_text()))
    daemons.stop(layout, "sleeper", deadline_s=0.2)
    assert child and not processes.is_alive(child)
    assert daemons.running(layout) == {}
    daemons.stop(layout, "sleeper")


def test_a_daemon_that_ends_while_starting_is_reported_with_its_log(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(daemons.DaemonFailed, match=r"sleeper ended while starting(.|\n)*port is taken"):
        daemons.start(layout, a_daemon(tmp_path / "flag", "raise SystemExit('port is taken')"))
    assert daemons.running(layout) == {}


def test_a_daemon_that_is_never_ready_is_stopped_at_its_deadline(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(daemons.DaemonFailed, match=r"was not ready after 0\.3 s"):
        daemons.start(layout, a_daemon(tmp_path / "flag", "import time; time.sleep(600)", deadline_s=0.3))
    assert daemons.running(layout) == {}


def test_a_missing_program_is_named(layout: Layout) -> None:
    with pytest.raises(daemons.DaemonFailed, match="no program 'no-such-program'"):
        daemons.start(layout, daemons.Daemon("ghost", ("no-such-program",), ready=lambda: True))


def test_a_pid_that_belongs_to_another_process_now_is_left_alone(layout: Layout, tmp_path: Path) -> None:
    daemons.start(layout, a_daemon(tmp_path / "flag"))
    pid_file = layout.run / "sleeper.pid"
    record = json.loads(pid_file.read_text())
    pid_file.write_text(json.dumps({**record, "started": record["started"] - 1}))
    assert daemons.running(layout) == {}
    daemons.stop(layout, "sleeper")
    stranger = processes.find_process(record["pid"])
    assert stranger and processes.is_alive(stranger)
    os.kill(record["pid"], signal.SIGKILL)


def test_a_stale_pid_file_is_replaced(layout: Layout, tmp_path: Path) -> None:
    first = daemons.start(layout, a_daemon(tmp_path / "flag"))
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)  # a signal that was sent has not yet arrived
    second = daemons.start(layout, a_daemon(tmp_path / "flag"))
    assert daemons.running(layout) == {"sleeper": second}
