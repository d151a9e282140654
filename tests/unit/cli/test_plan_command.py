"""`modelyard plan`: what is printed, and what the exit code says."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

WORKSPACE = """
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {{name: {name}}}
resource:
  instanceType: {sku}
  labelSelector: {{matchLabels: {{apps: x}}}}
inference: {{preset: {{name: {model}}}{config}}}
"""
CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data:
  inference_config.yaml: |
    vllm: {max-model-len: 4096}
"""
A100 = "Standard_NC24ads_A100_v4"


def a_workspace(name: str = "w", sku: str = A100, model: str = "phi-4", config: str = "") -> str:
    return WORKSPACE.format(name=name, sku=sku, model=model, config=f", config: {config}" if config else "")


def planned(tmp_path: Path, text: str, *options: str) -> int:
    file = tmp_path / "w.yaml"
    file.write_text(text)
    return main(["plan", "-f", str(file), *options])


def documents(text: str) -> list[dict[str, Any]]:
    """JSON objects that follow each other."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


def test_one_workspace_is_one_json_object_with_all_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, a_workspace(), "--json") == 0
    (plan,) = documents(capsys.readouterr().out)
    assert (plan["nodes"], plan["instanceType"], plan["gpusPerNode"]) == (1, A100, 1)
    assert (plan["tensorParallel"], plan["pipelineParallel"], plan["dataParallel"]) == (1, 1, 1)
    assert (plan["maxModelLen"], plan["diskGiB"], plan["pricePerHour"]) == (16384, 107, 3.673)
    assert (plan["warnings"], plan["errors"]) == ([], [])
    parts = plan["memoryPerGpuGiB"]
    usable = parts.pop("usable")
    assert sum(parts.values()) == pytest.approx(usable, abs=0.05)


def test_people_read_the_same_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, a_workspace()) == 0
    text = capsys.readouterr().out
    for words in ("can be carried out", f"1 x {A100} with 1 x NVIDIA A100", "16384 tokens", "$3.67 per hour in eastus"):
        assert words in text


TRAINING = """
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: train}
resource:
  instanceType: Standard_NC4as_T4_v3
  labelSelector: {matchLabels: {apps: x}}
tuning:
  preset: {name: phi-3-mini-128k-instruct}
  method: qlora
  config: train
  input: {urls: ['https://data.example.com/rows.parquet']}
  output: {image: 'registry.example.com/adapters/a:1', imagePushSecret: push}
"""
TRAINING_CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: train}
data:
  training_config.yaml: |
    training_config:
      QuantizationConfig: {load_in_4bit: true}
      LoraConfig: {r: 16}
      TrainingArguments: {gradient_accumulation_steps: 4}
"""


def test_a_training_is_planned_with_the_config_map_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(tmp_path, f"{TRAINING}---{TRAINING_CONFIG}", "--json") == 0
    (plan,) = documents(capsys.readouterr().out)
    assert (plan["kind"], plan["method"], plan["training"]["rank"]) == ("tuning", "qlora", 16)
    assert plan["volumeGiB"] == 32 and plan["memoryPerGpuGiB"] is None
    parts = plan["trainingGiB"]
    usable = parts.pop("usable")
    assert sum(parts.values()) == pytest.approx(usable, abs=0.05)
    assert planned(tmp_path, f"{TRAINING}---{TRAINING_CONFIG}") == 0
    text = capsys.readouterr().out
    for words in (
        "qlora, weights packed into 4 bits", "rank 16 on qkv_proj", "4 times before the weights move",
        "32 GiB for data, checkpoints and adapter", "first step  after", "until its first step",
        "OutputWritable: the account of Secret push", "kept until the Workspace is deleted",
    ):  # fmt: skip
        assert words in text, words
    assert "served as" not in text and "KV cache" not in text


def test_a_training_whose_config_map_is_elsewhere_is_planned_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(tmp_path, TRAINING, "--json") == 0
    (plan,) = documents(capsys.readouterr().out)
    assert "ConfigNotRead" in [warning["reason"] for warning in plan["warnings"]]


def test_what_cannot_work_is_1_and_says_which_machine_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(tmp_path, a_workspace(sku="Standard_NV36ads_A10_v5", model="falcon-40b"), "--json") == 1
    (plan,) = documents(capsys.readouterr().out)
    (error,) = plan["errors"]
    assert error["reason"] == "DoesNotFit"
    assert plan["nodesPerReplica"] == plan["nodes"] == 6
    assert plan["alternatives"][0]["instanceType"] in error["message"]


def test_config_maps_of_the_file_are_used_and_missing_ones_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = f"{a_workspace(config='c')}---{CONFIG_MAP}---{a_workspace('v', config='other')}"
    assert planned(tmp_path, both, "--json") == 0
    first, second = documents(capsys.readouterr().out)
    assert (first["maxModelLen"], second["maxModelLen"]) == (4096, 16384)
    assert [warning["reason"] for warning in second["warnings"]] == ["ConfigNotRead"]


def test_one_of_two_that_cannot_work_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, f"{a_workspace()}---{a_workspace('v', model='phi-44')}") == 1
    assert "did you mean" in capsys.readouterr().out


def test_a_document_that_is_no_yaml_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, f"{a_workspace()}---\nkind: [") == 1
    assert "document 2" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", CONFIG_MAP], ids=["empty", "no Workspace"])
def test_nothing_to_plan_is_misuse(tmp_path: Path, text: str) -> None:
    assert planned(tmp_path, text) == 2


def test_a_file_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    assert main(["plan", "-f", str(tmp_path / "nothing.yaml")]) == 2


def test_a_region_without_prices_has_no_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(tmp_path, a_workspace(), "--json", "--region", "mars") == 0
    (plan,) = documents(capsys.readouterr().out)
    assert (plan["pricePerHour"], plan["priceUntilReady"]) == (None, None)


def test_own_nodes_are_sized_with_the_option_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = a_workspace().replace(f"instanceType: {A100}", "partition: {mode: accelerator, count: 2}")
    assert planned(tmp_path, own, "--json", "--provider", "byo", "--machine", "Standard_NC96ads_A100_v4") == 0
    (plan,) = documents(capsys.readouterr().out)
    assert (plan["gpusPerNode"], plan["dataParallel"], plan["pricePerHour"]) == (2, 2, None)
