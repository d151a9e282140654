"""The repositories that a local stack serves, loaded over HTTP by the unmodified libraries of the runtime."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.layout import Layout
from deploy.local.mirror.repositories.catalog import (
    CHAT_DATASET,
    PHI3_4K,
    PHI3_128K,
    RUNTIME_PYTHON,
    SMOLLM2,
    ensure_repos,
    repositories_folder,
)
from deploy.local.mirror.repositories.chat_rows import rows
from tests.integration.mirror.conftest import RunningMirror, Starter

pytestmark = pytest.mark.timeout(900)

PROGRAM_DEADLINE_S = 300

ASK = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModelForCausalLM.from_pretrained(sys.argv[1])
prompt = tokenizer.apply_chat_template(
    [{"role": "user", "content": sys.argv[2]}], add_generation_prompt=True, return_tensors="pt", return_dict=True)
tokens = model.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1]:]
print(json.dumps({"answer": tokenizer.decode(tokens, skip_special_tokens=True), "dtype": str(model.dtype),
    "config": model.config.to_dict()}))
"""

READ = """
import json, sys
from datasets import load_dataset
print(json.dumps(load_dataset(sys.argv[1], split="train")["messages"][:]))
"""


@pytest.fixture(scope="module")
def served(start_mirror: Starter) -> Iterator[RunningMirror]:
    cache = Layout.of("test").cache
    ensure_repos(cache, print)
    mirror = start_mirror(root=repositories_folder(cache))
    yield mirror
    mirror.stop()


def run(mirror: RunningMirror, home: Path, program: str, *arguments: str) -> Any:
    """What the program prints last, as JSON; it knows no hub but the mirror and nothing that was cached before."""
    env = os.environ | {"HF_ENDPOINT": mirror.url, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    argv = [str(RUNTIME_PYTHON), "-c", program, *arguments]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=PROGRAM_DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_smollm2_answers_a_question_greedily(served: RunningMirror, tmp_path: Path) -> None:
    said = run(served, tmp_path, ASK, SMOLLM2, "What is the capital of South Korea?")
    assert "Seoul" in said["answer"]
    assert said["dtype"] == "torch.bfloat16"
    assert served.requests(f"models/{SMOLLM2}/model.safetensors")[-1]["status"] == 200


@pytest.mark.parametrize(("repo", "rope", "positions"), [(PHI3_4K, "default", 4096), (PHI3_128K, "longrope", 131072)])
def test_the_phi3_models_load_and_generate(
    served: RunningMirror, tmp_path: Path, repo: str, rope: str, positions: int
) -> None:
    config = run(served, tmp_path, ASK, repo, "Hello")["config"]
    assert (config["model_type"], config["rope_parameters"]["rope_type"]) == ("phi3", rope)
    assert config["max_position_embeddings"] == positions


def test_the_chat_dataset_is_loaded_by_its_name(served: RunningMirror, tmp_path: Path) -> None:
    assert run(served, tmp_path, READ, CHAT_DATASET) == rows()
