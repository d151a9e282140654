"""`modelyard validate` on the shapes of KAITO's example Workspaces: accepted, with notes for what does nothing.

Refused are models that need several nodes for a replica, which is not served here yet, and machines that Azure has
retired.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import main

ROWS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "fixtures" / "kaito" / "examples.yaml").read_text()
)
TEMPLATE = {"spec": {"containers": [{"name": "llm", "image": "registry.example.com/llm:1"}]}}
CLAIM = {"persistentVolumeClaim": {"claimName": "data"}}
IMAGE = "registry.example.com/a:1"
SAYS = {
    "several nodes": "a replica is served by one node for now",
    "retired": "Azure retired it (NVIDIA V100) on 2025-09-30",
}


def documents(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The Workspace of a row, with the ConfigMap that it names."""
    name, annotations = row["name"], dict(row.get("annotations", {}))
    resource: dict[str, Any] = {"labelSelector": {"matchLabels": {"apps": name}}}
    resource |= {key: row[key] for key in ("count", "partition") if key in row}
    if "machine" in row:
        resource["instanceType"] = row["machine"]
    else:
        annotations["modelyard.dev/node-provider"] = "byo"
    workspace = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name, "annotations": annotations},
        "resource": resource,
        "tuning" if "tuning" in row else "inference": section(row),
    }
    data = {}
    if "vllm" in row:
        data["inference_config.yaml"] = yaml.safe_dump({"vllm": row["vllm"]})
    if "training" in row:
        data["training_config.yaml"] = "training_config: {QuantizationConfig: {load_in_4bit: true}}"
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "params"}, "data": data}
    return [config_map, workspace] if data else [workspace]


def section(row: dict[str, Any]) -> dict[str, Any]:
    """What is served, or trained."""
    if row.get("template"):
        return {"template": TEMPLATE}
    body: dict[str, Any] = {"preset": {"name": row["preset"], "presetOptions": {"modelAccessSecret": "hf-token"}}}
    if "tuning" in row:
        source = {"volumeSource": CLAIM} if "volume" in row else {"urls": ["https://data.example.com/rows.parquet"]}
        output = {"volumeSource": CLAIM} if "volume" in row else {"image": IMAGE, "imagePushSecret": "s"}
        body |= {"method": row["tuning"], "input": source, "output": output}
    if "adapters" in row:
        body["adapters"] = [{"source": {"name": "phi-3-adapter", "image": IMAGE}, "strength": "1.0"}]
    return body | ({"config": "params"} if {"vllm", "training"} & row.keys() else {})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_an_example_of_kaitos_is_judged(
    row: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text(yaml.safe_dump_all(documents(row)))
    code = main(["validate", "-f", str(file), "--json"])
    said = json.loads(capsys.readouterr().out)["documents"][-1]
    wanted = SAYS.get(row.get("verdict", ""), "")
    assert (code, said["verdict"]) == ((1, "refused") if wanted else (0, "accepted")), said
    assert wanted in " ".join(problem["message"] for problem in said["problems"])
    retired = {"swap-space", "max-seq-len-to-capture", "num-scheduler-steps"} & row.get("vllm", {}).keys()
    assert {option for option in retired if f"vllm.{option}: does nothing" in " ".join(said["notes"])} == retired


def test_they_are_all_here() -> None:
    verdicts = [row.get("verdict", "accepted") for row in ROWS]
    assert len({row["name"] for row in ROWS}) == 46
    assert (verdicts.count("several nodes"), verdicts.count("retired")) == (6, 3)
