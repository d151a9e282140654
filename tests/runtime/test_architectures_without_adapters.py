"""presets/hub/architectures.yaml names the model classes that vLLM itself says take no LoRA adapters."""

import json
import subprocess

import pytest

from api.configs.servable import EMBEDDINGS_SERVED
from presets.hub.lora_targets import tunable_classes
from presets.hub.model import architectures
from tests.runtime.conftest import PYTHON

pytestmark = pytest.mark.timeout(600)
# The CPU build lacks the GPU build's classes, so these are read and not asked: they take adapters there.
NOT_ASKED = {"DeepseekV4ForCausalLM", "DeepseekV41ForCausalLM", "DeepseekV4ForConditionalGeneration"}
LEAST_ANSWERS = 140
"""Classes of models that see or hear need libraries that this environment lacks; they give no answer, 149 do. The
number is there so that an environment in which hardly any class answers does not pass for agreement."""
ASK = """
import json, sys
from vllm import ModelRegistry
from vllm.model_executor.models.interfaces import supports_lora
answers = {}
for name in sys.argv[1:]:
    try:
        answers[name] = bool(supports_lora(ModelRegistry.models[name].load_model_cls()))
    except (ImportError, KeyError) as error:
        answers[name] = str(error)
print(json.dumps(answers))
"""


EMBEDDINGS = """
import json, sys
from vllm import ModelRegistry
classes = {name: ModelRegistry.models[name].load_model_cls() for name in sys.argv[1:]}
taken = {name: getattr(found, "embedding_modules", {}) for name, found in classes.items()}
print(json.dumps([name for name, modules in taken.items() if "embed_tokens" in modules]))
"""


def test_embeddings_of_classes_that_are_trained_are_served_where_the_table_says_so() -> None:
    said = subprocess.run(
        [PYTHON, "-c", EMBEDDINGS, *tunable_classes()], capture_output=True, text=True, check=True, timeout=500
    ).stdout.splitlines()[-1]
    assert set(json.loads(said)) == EMBEDDINGS_SERVED


def test_vllm_reports_the_same() -> None:
    known = architectures()
    assert known.without_adapters <= known.served
    asked = sorted((known.text | known.multimodal) - NOT_ASKED)
    said = subprocess.run(
        [PYTHON, "-c", ASK, *asked], capture_output=True, text=True, check=True, timeout=500
    ).stdout.splitlines()[-1]
    answers = {name: answer for name, answer in json.loads(said).items() if isinstance(answer, bool)}
    assert len(answers) >= LEAST_ANSWERS
    refusing = {name for name, takes in answers.items() if not takes}
    assert refusing == known.without_adapters & answers.keys()
