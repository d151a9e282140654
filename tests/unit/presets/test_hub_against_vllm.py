"""What is written down of vLLM is what the package in the runtime environment says: model classes, parsers."""

import ast
import subprocess
from pathlib import Path

import pytest

from api.configs.arguments import arguments_in
from presets.hub.config import Settings
from presets.hub.model import architectures
from presets.hub.recurrent_state import state_bytes
from presets.hub.vllm_parsers import all_parsers
from presets.models.catalog import all_models, find_model

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of vLLM. Its files are read, not imported: an import takes half a minute and a GPU library."""
    python = ROOT / ".venv-runtime" / "bin" / "python"
    if not python.exists():
        pytest.skip("the runtime environment is not installed")
    where = "import importlib.util; print(importlib.util.find_spec('vllm').origin)"
    return Path(subprocess.check_output([python, "-c", where], text=True).strip()).parent


def tables(file: Path) -> dict[str, ast.Dict]:
    """The dictionaries that a module assigns at its top."""
    found: dict[str, ast.Dict] = {}
    for node in ast.parse(file.read_text()).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            found[target.id] = value
    return found


def names(table: ast.Dict) -> set[str]:
    return {key.value for key in table.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def test_model_classes_are_those_that_vllm_registers(package: Path) -> None:
    registry = tables(package / "model_executor" / "models" / "registry.py")
    known = architectures()
    assert known.text == names(registry["_TEXT_GENERATION_MODELS"])
    assert known.transformers == names(registry["_TRANSFORMERS_SUPPORTED_MODELS"])
    assert known.multimodal < names(registry["_MULTIMODAL_MODELS"]) <= known.multimodal | known.other
    assert not known.served & known.other
    dropped = registry["_PREVIOUSLY_SUPPORTED_MODELS"]
    assert known.dropped == ast.literal_eval(dropped)


def test_parsers_are_those_that_vllm_registers(package: Path) -> None:
    tool = names(next(iter(tables(package / "tool_parsers" / "__init__.py").values())))
    reasoning = names(next(iter(tables(package / "reasoning" / "__init__.py").values())))
    assert len(tool) > 30 and len(reasoning) > 20, "the tables were found"
    known = arguments_in("vllm_arguments.yaml")
    assert (set(known["tool-call-parser"].choices), set(known["reasoning-parser"].choices)) == (tool, reasoning)
    used = all_parsers()
    assert {parsers.tool for parsers in used} - {""} <= tool
    assert {parsers.reasoning for parsers in used} - {""} <= reasoning
    assert {model.tool_parser for model in all_models()} - {""} <= tool
    assert {model.reasoning_parser for model in all_models()} - {""} <= reasoning


STATES = """
import math
from vllm.model_executor.layers.mamba.mamba_utils import MambaStateShapeCalculator as Shapes

def said(shapes):
    conv, state = shapes
    print("BYTES", math.prod(conv) * 2 + math.prod(state) * 4)

mamba = {"tp_world_size": 1, "n_groups": 8, "state_size": 128, "conv_kernel": 4}
said(Shapes.mamba2_state_shape(intermediate_size=64 * 64, num_heads=64, head_dim=64, **mamba))
said(Shapes.mamba2_state_shape(intermediate_size=128 * 80, num_heads=128, head_dim=80, **mamba))
said(Shapes.gated_delta_net_state_shape(1, 16, 48, 128, 128, 4))
said(Shapes.kda_state_shape(1, 32, 128, conv_kernel_size=4))
"""


@pytest.mark.timeout(300)
def test_states_are_as_large_as_vllm_makes_them(package: Path) -> None:
    python = ROOT / ".venv-runtime" / "bin" / "python"
    done = subprocess.run([python, "-c", STATES], capture_output=True, text=True, timeout=240, check=True)
    sizes = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("BYTES")]
    kimi = {"linear_attn_config": {"num_heads": 32, "head_dim": 128, "short_conv_kernel_size": 4}}
    assert sizes == [
        largest_state("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"),
        largest_state("nvidia/NVIDIA-Nemotron-Nano-9B-v2"),
        largest_state("Qwen/Qwen3.6-27B"),
        state_bytes(Settings(kimi)),
    ]


def largest_state(name: str) -> int:
    return max(group.state_bytes for group in find_model(name).layers)
