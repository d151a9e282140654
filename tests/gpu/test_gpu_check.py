"""`bench.gpu` on this machine's GPU: every part runs, ours is as quick as the plain programs, and the plans hold."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from bench.gpu.machine.device import CONTROL
from bench.gpu.parts.running import NAMES
from deploy.local.images.runtime_env import ENVIRONMENT

PYTHON: Final = os.environ.get("MODELYARD_GPU_PYTHON", str(ENVIRONMENT / "bin" / "python"))
"""Of an environment with the packages for GPUs; docs/performance.md says how to make one."""
WITHIN_S: Final = 600
NO_GPU: Final = (
    f"no GPU here ({CONTROL} is missing). On a machine with one: `make gpu-check`, or `pytest tests/gpu -m gpu` with "
    "MODELYARD_GPU_PYTHON; docs/performance.md, section On a GPU"
)

pytestmark = [pytest.mark.timeout(2 * WITHIN_S), pytest.mark.skipif(not CONTROL.exists(), reason=NO_GPU)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("gpu") / "report"
    argv = [PYTHON, "-m", "bench.gpu", "--out", str(folder)]
    done = subprocess.run(argv, cwd=ENVIRONMENT.parent, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    print(done.stdout)
    assert done.returncode in (0, 1), done.stderr
    return dict(json.loads((Path(folder) / "report.json").read_bytes()))


@pytest.mark.parametrize("part", NAMES)
def test_a_part_is_measured(report: dict[str, Any], part: str) -> None:
    found = next(one for one in report["parts"] if one["part"] == part)
    assert found["state"] == "done", found["reason"]


def test_ours_is_as_quick_as_the_plain_programs_and_trains_on_the_same(report: dict[str, Any]) -> None:
    judged = [one for one in report["compared"] if one["goal"] is not None]
    assert judged and [one for one in judged if not one["ok"]] == []


def test_no_more_memory_is_used_than_was_planned(report: dict[str, Any]) -> None:
    assert {one["part"] for one in report["plan"]} == {"serve", "tune-lora", "tune-qlora"}
    assert [one for one in report["plan"] if not one["ok"]] == []
