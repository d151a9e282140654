"""What the libraries of a training raise is told apart by the libraries themselves: what comes again is not tried
twenty times on a node that is paid for, what may pass is."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.runtime.tuning import ENDS_S, PYTHON

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


def test_failures_of_the_libraries_are_told_apart(tmp_path: Path) -> None:
    argv = [str(PYTHON), str(Path(__file__).with_name("failing_libraries.py")), str(tmp_path)]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    wanted = {name: "TrainingImpossible" if name.startswith("again") else "TrainingCrashed" for name in found}
    assert {name: reason for name, (reason, *_) in found.items()} == wanted, found
    assert len(found) > 10
