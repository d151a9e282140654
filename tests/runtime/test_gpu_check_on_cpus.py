"""The check for GPUs, in its small size on CPUs: the same programs really run, so that it is ready for a GPU.

One part of each kind: all eight take twice as long, and are `python -m bench.gpu --device cpu`.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import PYTHON

pytestmark = pytest.mark.timeout(3600)
# The check's own deadlines are shorter, and name the part.
WITHIN_S = 3500
PARTS = ("imports", "serve", "tune-lora", "tune-lora-plain", "adapter")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    assert PYTHON.exists(), "there is no .venv-runtime: run `python -m deploy.local.images.runtime_env`"
    folder = tmp_path_factory.mktemp("check") / "report"
    argv = [str(PYTHON), "-m", "bench.gpu", "--device", "cpu", "--out", str(folder), "--only", *PARTS]
    done = subprocess.run(argv, cwd=PYTHON.parents[2], capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return dict(json.loads((Path(folder) / "report.json").read_bytes()))


def test_every_part_is_measured(report: dict[str, Any]) -> None:
    assert [(one["part"], one["state"]) for one in report["parts"]] == [(name, "done") for name in PARTS]
    assert all(one["figures"] for one in report["parts"])


def test_each_of_ours_is_compared_with_the_plain_program_on_the_same_tokens(report: dict[str, Any]) -> None:
    assert {one["part"] for one in report["compared"]} == {"tune-lora"}
    same = [one for one in report["compared"] if one["quantity"] == "tokens"]
    assert [one["ok"] for one in same] == [True]
    losses = [one for one in report["compared"] if one["quantity"] == "last_loss"]
    assert [one["ours"] for one in losses] == pytest.approx([one["plain"] for one in losses], rel=0.01)


def test_the_adapter_that_was_trained_answers_differently(report: dict[str, Any]) -> None:
    figures = next(one["figures"] for one in report["parts"] if one["part"] == "adapter")
    assert figures["logprob_difference"] > 10 * figures["logprob_noise"]
