"""The examples on the pages that are written by hand are accepted by what reads them, and name what exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.configs.inference import INFERENCE_KEY, parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.training import TRAINING_KEY, method_problem, parse_training_config
from api.reasons import REASONS
from api.resource.status import Phase, Step, parse_status
from api.resource.workspace import Workspace, WorkspaceSpec

DOCS = Path(__file__).parents[3] / "docs"
CONCEPTS = (DOCS / "concepts.md").read_text()
CONFIGURATION = (DOCS / "configuration.md").read_text()


def examples(text: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]


def test_the_example_of_a_workspace_is_one() -> None:
    (found,) = (example for example in examples(CONCEPTS) if example.get("kind") == "Workspace")
    assert Workspace.parse(found).name == "phi-4"


def test_every_field_and_word_of_the_status_examples_exists() -> None:
    shown = [example["status"] for example in examples(CONCEPTS) if "status" in example]
    assert len(shown) == 2
    for status in shown:
        parsed = parse_status(status)
        assert parsed.wire() == status
        assert not (parsed.model_extra or (parsed.plan and parsed.plan.model_extra))
        assert {condition.reason for condition in parsed.conditions} <= set(REASONS)
        assert parsed.reason is None or parsed.reason in REASONS


def test_every_step_and_phase_of_the_table_exists() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (`.*) \|$", CONCEPTS, re.M)
    assert {step for step, _ in rows} <= {*Step}
    assert {phase for _, cell in rows for phase in re.findall(r"`(\w+)`", cell)} <= {*Phase}
    assert len(rows) == 12


def test_both_config_maps_are_accepted_and_go_with_their_workspaces() -> None:
    server, inference, training, tuning = examples(CONFIGURATION)
    assert parse_inference_config(server["data"][INFERENCE_KEY]).warnings == ()
    config = parse_training_config(training["data"][TRAINING_KEY])
    assert config.warnings == ()
    assert method_problem(config, tuning["tuning"]["method"]) is None
    assert inference["inference"]["config"] == server["metadata"]["name"]
    assert tuning["tuning"]["config"] == training["metadata"]["name"]
    WorkspaceSpec.model_validate(inference)


def test_the_message_that_is_shown_is_the_message_that_is_given() -> None:
    (shown,) = re.findall(r"```text\n(.*?)\n```", CONFIGURATION, re.S)
    with pytest.raises(ConfigProblem) as caught:
        parse_inference_config("vllm:\n  max-model-length: 4096\n")
    assert str(caught.value) == shown
