"""Rule C33 names the architectures that vLLM itself says take no LoRA adapters."""

import json
import subprocess

import pytest
from conftest import PYTHON

from presets.catalogue import all_models
from presets.validation import WITHOUT_ADAPTERS

pytestmark = [pytest.mark.runtime, pytest.mark.timeout(300)]
# The CPU build lacks what it says of the GPU build's class, so this one is read and not asked: it takes adapters there.
NOT_ASKED = {"DeepseekV4ForCausalLM"}
ASK = """
import json, sys
from vllm import ModelRegistry
from vllm.model_executor.models.interfaces import supports_lora
answers = {}
for name in sys.argv[1:]:
    try:
        answers[name] = bool(supports_lora(ModelRegistry.models[name].load_model_cls()))
    except ModuleNotFoundError as error:
        answers[name] = str(error)
print(json.dumps(answers))
"""


def test_vllm_says_the_same() -> None:
    architectures = sorted({model.architecture for model in all_models() if model.architecture} - NOT_ASKED)
    said = subprocess.run(
        [PYTHON, "-c", ASK, *architectures], capture_output=True, text=True, check=True, timeout=240
    ).stdout.splitlines()[-1]
    answers = {name: answer for name, answer in json.loads(said).items() if isinstance(answer, bool)}
    assert answers.keys() >= WITHOUT_ADAPTERS
    assert {name for name, takes in answers.items() if not takes} == WITHOUT_ADAPTERS
