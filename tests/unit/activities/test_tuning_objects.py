"""What the pods of a training look like."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from activities.contract.tuning import TuningPart
from activities.manifests.tuning import Tuning, TuningPodSettings, config_of, job
from api.configs.training import parse_training_config
from api.pods.data import DataConfig
from api.resource.data import DataDestination, DataSource
from testing.pods.inputs import IMAGES, PINNED
from tests.builders import a_key, a_plan
from worker.cluster import tuning_pod_settings
from worker.settings import WorkerSettings

PLAN = a_plan(
    a_key("uid-1", namespace="team"), kind="tuning", model="org/m", gpus_per_node=2, digest="d1", method="lora",
    output_image="registry/facts:1", volume_gib=10,
)  # fmt: skip
TUNING = Tuning(
    preset="m",
    input=DataSource(urls=["http://data/rows.jsonl"]),
    output=DataDestination(image="registry/facts:1", image_push_secret="push"),
    config=parse_training_config("training_config: {}"),
)


def containers(part: TuningPart, around: TuningPodSettings) -> dict[str, dict[str, Any]]:
    made = job(PLAN, part, "digest", TUNING, PINNED, around, IMAGES)
    return {one["name"]: one for one in made["spec"]["template"]["spec"]["containers"]}


def test_only_the_trainer_gets_the_installations_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TUNING_ENVIRONMENT", '{"NCCL_DEBUG": "INFO"}')
    around = tuning_pod_settings(WorkerSettings())
    assert containers("train", around)["train"]["env"] == [{"name": "NCCL_DEBUG", "value": "INFO"}]
    others = [containers("train", around)["fetch"], containers("fetch", around)["fetch"]]
    others += containers("publish", around).values()
    assert not any("NCCL_DEBUG" in str(container) for container in others)


@pytest.mark.parametrize("text", ['{"NCCL DEBUG": "INFO"}', '{"": "x"}', '{"A": {"b": 1}}', '["A"]'])
def test_an_invalid_variable_name_is_refused_when_the_worker_starts(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MODELYARD_TUNING_ENVIRONMENT", text)
    with pytest.raises(ValidationError, match="tuning_environment"):
        WorkerSettings()


def test_only_the_trainer_gets_gpus_and_shared_memory() -> None:
    found = containers("train", TuningPodSettings(tune_image="tune:1", data_image="data:1"))
    assert found["train"]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert "nvidia.com/gpu" not in str(found["fetch"]["resources"])
    assert "/dev/shm" in [mount["mountPath"] for mount in found["train"]["volumeMounts"]]
    assert "/dev/shm" not in [mount["mountPath"] for mount in found["fetch"]["volumeMounts"]]


def test_data_is_judged_beside_the_tokenizer_of_the_model_that_will_be_trained() -> None:
    around = TuningPodSettings(tune_image="tune:1", data_image="data:1")
    config = config_of(PLAN, "fetch", TUNING, PINNED, around, "http://hub")
    found = containers("fetch", around)
    command = found["tokenizer"]["command"]
    assert command[command.index("--revision") + 1] == PINNED.revision and "--tokenizer-only" in command
    assert isinstance(config, DataConfig) and config.tokenizer_folder == f"{command[-3]}/{PINNED.revision}"
    (mount,) = [one for one in found["fetch"]["volumeMounts"] if one["name"] == "tokenizer"]
    assert mount["readOnly"] and config.tokenizer_folder.startswith(mount["mountPath"])
    assert not [one for one in found["tokenizer"]["volumeMounts"] if one["name"] in ("weights", "run", "config")]


def test_data_is_judged_by_the_template_that_the_training_uses() -> None:
    config = parse_training_config("training_config: {ModelConfig: {chat_template: '{{ messages }}'}}")
    around = TuningPodSettings(tune_image="tune:1", data_image="data:1")
    found = config_of(PLAN, "fetch", replace(TUNING, config=config), PINNED, around, "")
    assert isinstance(found, DataConfig) and found.chat_template == "{{ messages }}"
