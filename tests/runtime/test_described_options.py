"""The lists of options in the repository are those of the programs in the runtime environment."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.runtime.conftest import PYTHON

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("runtime.serve.dump_options", "api/configs/vllm_arguments.yaml"),
        ("runtime.tune.dump_options", "api/configs/training_arguments.yaml"),
    ],
)
def test_the_file_matches_the_programs_own_description(module: str, file: str) -> None:
    said = subprocess.run([PYTHON, "-m", module], cwd=ROOT, capture_output=True, text=True, check=True, timeout=240)
    assert (ROOT / file).read_text() == said.stdout, f"run: {PYTHON.name} -m {module} > {file}"


def test_the_programs_take_the_examples_of_the_manual_as_they_are_meant() -> None:
    command = [str(PYTHON), str(Path(__file__).with_name("accepting.py"))]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-3:] == [
        "16384 False ngram",
        "False",
        "0.0002 /mnt/results 16 all-linear nf4",
    ]
