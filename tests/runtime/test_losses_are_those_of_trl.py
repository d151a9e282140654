"""Our trainer asks trl for less, and must train the same: losses of steps and of evaluation are those of trl's own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tuning import ENDS_S, PYTHON, make_model

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.runtime, pytest.mark.timeout(600), pytest.mark.xdist_group("tuning")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    "options",
    [{}, {"gradient_accumulation_steps": 2}, {"label_smoothing_factor": 0.1}, {"loss_type": "dft"}, {"packing": True}],
    ids=["plain", "accumulated", "smoothed", "weighed", "packed"],
)
def test_the_losses_are_the_same(model: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    if options.get("packing"):
        options = options | {"max_length": 64, "dataset_kwargs": None}
    argv = [str(PYTHON), str(Path(__file__).with_name("comparing_losses.py")), str(model), str(tmp_path)]
    more = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / ".cache")}
    done = subprocess.run(
        [*argv, json.dumps(options)], capture_output=True, text=True, timeout=ENDS_S, env=os.environ | more, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs, ours = json.loads(done.stdout.splitlines()[-1])
    assert len(ours) == 5 and ours == pytest.approx(theirs, rel=1e-4)
    assert ours[3] < ours[0]
