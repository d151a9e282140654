"""Our trainer asks trl for less, and must train the same: losses of steps and of evaluation are those of trl's own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tuning import ENDS_S, PYTHON

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.runtime, pytest.mark.timeout(300), pytest.mark.xdist_group("tuning")]
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"gradient_accumulation_steps": 2},
    "smoothed": {"label_smoothing_factor": 0.1},
    "weighed": {"loss_type": "dft"},
    "packed": {"packing": True, "max_length": 64, "dataset_kwargs": None},
}


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[float]]]:
    folder = tmp_path_factory.mktemp("losses")
    argv = [str(PYTHON), str(Path(__file__).with_name("comparing_losses.py")), str(folder), json.dumps(CASES)]
    more = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / ".cache")}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=ENDS_S, env=os.environ | more, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_losses_are_the_same(losses: dict[str, list[list[float]]], case: str) -> None:
    theirs, ours = losses[case]
    assert len(ours) == 5 and ours == pytest.approx(theirs, rel=1e-4)
    assert ours[3] < ours[0]
