"""The lists of options in the repository are those of the programs in the runtime environment."""

import subprocess
from pathlib import Path

import pytest
from conftest import PYTHON

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.runtime, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("runtime.serve.describing", "api/configs/vllm_arguments.yaml"),
        ("runtime.tune.describing", "api/configs/training_arguments.yaml"),
    ],
)
def test_the_file_is_what_the_program_says_of_itself(module: str, file: str) -> None:
    said = subprocess.run([PYTHON, "-m", module], cwd=ROOT, capture_output=True, text=True, check=True, timeout=240)
    assert (ROOT / file).read_text() == said.stdout, f"run: {PYTHON.name} -m {module} > {file}"
