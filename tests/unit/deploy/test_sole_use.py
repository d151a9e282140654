"""Two runs of tests or measurements never take each other's stack down."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.host.sole_use import InUse, sole_use

HOLD = "import sys, pathlib, deploy.local.host.sole_use as s\nwith s.sole_use(pathlib.Path(sys.argv[1]), 'x'): "
ENDS = HOLD + "print('held')"
STAYS = HOLD + "print('held', flush=True); sys.stdin.read()"
ROOT = Path(__file__).parents[3]


def started(script: str, file: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", script, str(file)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_second_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with started(STAYS, tmp_path / "lock") as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        refused = pytest.raises(InUse, match=f"the bench stack is in use by process {other.pid}")
        with refused, sole_use(tmp_path / "lock", "the bench stack"):
            pass
        other.kill()


def test_a_killed_process_holds_nothing_up(tmp_path: Path) -> None:
    with started(STAYS, tmp_path / "lock") as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        other.kill()
        other.wait()
    with sole_use(tmp_path / "lock", "the bench stack"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_one_after_the_other_both_have_it(tmp_path: Path) -> None:
    for _ in range(2):
        with started(ENDS, tmp_path / "below" / "lock") as other:
            assert other.communicate()[0] == "held\n"
