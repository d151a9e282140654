"""Processes are known by pid and start time, and the dead are not taken for living."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.host.processes import (
    all_processes,
    find_process,
    in_session,
    is_alive,
    is_running,
    send_signal,
    start_ticks,
)
from testing.deadlines import PATIENCE_S


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def found(process: subprocess.Popen[bytes]) -> psutil.Process:
    answer = find_process(process.pid)
    assert answer is not None
    return answer


def test_the_start_is_field_22_of_the_kernels_table(sleeper: subprocess.Popen[bytes]) -> None:
    fields = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()
    assert start_ticks(found(sleeper)) == int(fields[19])


def test_setting_the_clock_does_not_make_another_process_of_it(
    sleeper: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, created = start_ticks(found(sleeper)), found(sleeper).create_time()
    booted = psutil.boot_time()
    (tmp_path / "stat").write_text(f"btime {booted + 3600:.0f}\n")
    (tmp_path / str(sleeper.pid)).symlink_to(f"/proc/{sleeper.pid}")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert found(sleeper).create_time() == created + 3600
    assert start_ticks(found(sleeper)) == before


def test_a_zombie_is_not_running_and_is_left_to_who_waits_for_it(sleeper: subprocess.Popen[bytes]) -> None:
    process = found(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert process.is_running() and not is_running(process)
    assert sleeper.wait() == -signal.SIGKILL


def test_asking_whether_a_child_is_alive_reaps_it(sleeper: subprocess.Popen[bytes]) -> None:
    process = found(sleeper)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process)
    assert find_process(sleeper.pid) is None


def test_a_session_has_its_leader_and_the_leaders_children(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["sleep", "60"], process_group=0) as other:
        try:
            assert [process.pid for process in in_session(sleeper.pid)] == [sleeper.pid]
            assert other.pid in [process.pid for process in in_session(os.getsid(0))]
            assert {other.pid, sleeper.pid, os.getpid()} <= {process.pid for process in all_processes()}
        finally:
            other.kill()


def test_looking_through_a_session_reaps_nobody(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["true"], process_group=0) as other:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert other.pid not in [process.pid for process in in_session(os.getsid(0))]
        assert found(other).status() == psutil.STATUS_ZOMBIE, "its parent could not ask for its exit code any more"


def test_a_signal_to_one_that_has_ended_is_no_error(sleeper: subprocess.Popen[bytes]) -> None:
    process = found(sleeper)
    send_signal(process, signal.SIGTERM)
    sleeper.wait()
    send_signal(process, signal.SIGTERM)


def test_a_signal_does_not_reach_another_process_with_the_same_pid(
    sleeper: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:  # when its pid was that of a process one tick older
        head, _, fields = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")
        older = fields.split()
        older[19] = str(int(older[19]) - 1)
        (tmp_path / str(sleeper.pid)).mkdir()
        (tmp_path / str(sleeper.pid) / "stat").write_text(f"{head}) {' '.join(older)}")
        before.setattr(psutil, "PROCFS_PATH", str(tmp_path))
        meant = found(sleeper)
    send_signal(meant, signal.SIGKILL)
    sleeper.terminate()
    assert sleeper.wait() == -signal.SIGTERM


HALF_ENDED = """
import ctypes, socket, threading, time
listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(60,)).start()
print(listening.getsockname()[1], flush=True)
ctypes.CDLL(None).syscall(SYS_EXIT, 0)
"""


def test_a_process_whose_first_thread_has_ended_still_holds_its_port() -> None:
    """As one does for a while that is killed on a busy machine: who takes the port too soon cannot have it."""
    number = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
    program = HALF_ENDED.replace("SYS_EXIT", str(number))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        ends = time.monotonic() + PATIENCE_S
        while found(process).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < ends
            time.sleep(0.01)
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S):
            assert is_running(found(process)) and is_alive(found(process))
        process.kill()
        process.wait(PATIENCE_S)
