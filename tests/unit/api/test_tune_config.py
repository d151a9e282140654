"""tune.json crosses versions: it survives the way through JSON, and what a newer controller adds is ignored."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from api.configs.training import default_training_config, parse_training_config
from api.pods.tune import TuneConfig, TuneStatus

GIVEN: dict[str, Any] = {
    "model": "org/model",
    "revision": "0" * 40,
    "weights_path": "/weights/0",
    "method": "lora",
    "training": default_training_config("lora"),
    "output_folder": "/mnt/results",
}


def test_a_config_is_the_same_after_the_way_through_json() -> None:
    text = "training_config:\n  LoraConfig: {r: 16}\n  TrainingArguments: {learning_rate: 3e-4, seed: 7}"
    config = TuneConfig.model_validate(GIVEN | {"training": parse_training_config(text)})
    again = TuneConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert (again.seed, again.complete_marker) == (7, "/weights/0/.complete")


def test_what_a_newer_controller_or_pod_adds_is_ignored() -> None:
    reported = json.loads(TuneConfig.model_validate(GIVEN).model_dump_json())
    assert TuneConfig.model_validate(reported | {"later": 1}) == TuneConfig.model_validate(GIVEN)
    assert TuneStatus.model_validate({"step": 3, "later": 1}).step == 3


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="processes"):
        TuneConfig.model_validate(GIVEN | {"processes": 0})
    with pytest.raises(ValidationError, match="method"):
        TuneConfig.model_validate(GIVEN | {"method": "full"})
