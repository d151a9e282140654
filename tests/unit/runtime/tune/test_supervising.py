"""The processes of a step: heard, stopped, ended together, and never left behind. Real processes, small ones."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.pod.exit import Failure
from runtime.tune.failures import CRASHED, LOSS_NOT_FINITE, STALLED, STOPPED
from runtime.tune.processes.supervisor import Limits, Team

TELLS = 'import json, os, sys\ntell = lambda **said: os.write(int(sys.argv[2]), (json.dumps(said) + "\\n").encode())\n'
FAILS = 'tell(failure={"code": 50, "message": "loss is nan"}); sys.exit(50)\n'
SLEEPS = "import time; time.sleep(3600)\n"
ENDS_WHEN_ASKED = """
import signal, time
def stop(*_):
    tell(failure={"code": 143, "message": "asked to stop"})
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
tell(step=1)
time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); tell(step=1); time.sleep(60)\n"


def team(*programs: str, heard: list[Mapping[str, Any]] | None = None) -> Team:
    commands = [([sys.executable, "-c", TELLS + program], dict(os.environ)) for program in programs]
    return Team(commands, (heard if heard is not None else []).append)


def run(team: Team, *, stall_s: float = 30, stop_s: float = 30, stopped: Any = lambda: False) -> None:
    team.run(Limits(stall_s=stall_s, stop_s=stop_s), stopped)


def pids(team: Team) -> list[int]:
    return [member.pid for member in team._members]


def test_reports_arrive_in_order() -> None:
    heard: list[Mapping[str, Any]] = []
    run(team("tell(step=1)\ntell(step=2)\n", heard=heard))
    assert heard == [{"step": 1}, {"step": 2}]


def test_a_failure_has_the_message_of_its_process_and_ends_the_others() -> None:
    both = team(SLEEPS, FAILS)
    with pytest.raises(Failure, match="loss is nan") as caught:
        run(both)
    assert caught.value.kind is LOSS_NOT_FINITE
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids(both))


def test_a_process_that_ends_without_a_report_is_a_crash() -> None:
    with pytest.raises(Failure, match="ended with code -9") as caught:
        run(team("os.kill(os.getpid(), 9)\n"))
    assert caught.value.kind is CRASHED


def test_a_stop_is_passed_on_and_waited_for() -> None:
    heard: list[Mapping[str, Any]] = []
    with pytest.raises(Failure, match="asked to stop") as caught:
        run(team(ENDS_WHEN_ASKED, heard=heard), stopped=lambda: bool(heard))
    assert caught.value.kind is STOPPED


def test_a_process_that_does_not_stop_in_time_is_killed() -> None:
    heard: list[Mapping[str, Any]] = []
    deaf = team(DEAF, heard=heard)
    with pytest.raises(Failure, match=r"did not end within 0\.3 s") as caught:
        run(deaf, stop_s=0.3, stopped=lambda: bool(heard))
    assert caught.value.kind is STOPPED
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids(deaf))


def test_silence_is_a_stall() -> None:
    with pytest.raises(Failure, match=r"the training reported nothing for 0\.5 s") as caught:
        run(team(SLEEPS), stall_s=0.5)
    assert caught.value.kind is STALLED


def test_a_disk_that_takes_no_status_ends_the_training() -> None:
    def full(_: Mapping[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    sleeping = Team([([sys.executable, "-c", TELLS + "tell(step=1)\n" + SLEEPS], dict(os.environ))], full)
    with pytest.raises(OSError, match="No space left"):
        run(sleeping)


def test_a_process_stopped_before_its_handler_is_set_did_not_crash() -> None:
    with pytest.raises(Failure, match="before there was anything to save") as caught:
        run(team(SLEEPS), stopped=lambda: True)
    assert caught.value.kind is STOPPED
