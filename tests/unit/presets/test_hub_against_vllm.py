"""What is written down of vLLM is what the package in the runtime environment says: model classes, parsers."""

import ast
from pathlib import Path

import pytest

from presets.catalogue import all_models
from presets.hub import architectures
from presets.hub_parsers import all_parsers

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.runtime


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of vLLM. Its files are read, not imported: an import takes half a minute and a GPU library."""
    found = sorted((ROOT / ".venv-runtime").glob("lib/python3*/site-packages/vllm"))
    if not found:
        pytest.skip("the runtime environment is not installed")
    return found[0]


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
    return {key.value for key in table.keys if isinstance(key, ast.Constant)}


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
    used = all_parsers()
    assert {parsers.tool for parsers in used} - {""} <= tool
    assert {parsers.reasoning for parsers in used} - {""} <= reasoning
    assert {model.tool_parser for model in all_models()} - {""} <= tool
    assert {model.reasoning_parser for model in all_models()} - {""} <= reasoning
