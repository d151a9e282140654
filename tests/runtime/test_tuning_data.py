"""Data as people bring it goes through a whole training: what was judged is what is trained."""

import json
from pathlib import Path

import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.data import DataConfig, DataManifest
from runtime.data.check_files import manifest_of
from tests.runtime.tuning import ROWS, Training, make_model, settings

pytestmark = pytest.mark.timeout(600)


def judged(folder: Path) -> DataManifest:
    return manifest_of(DataConfig(folder=str(folder), dataset=DatasetConfig()), {}, lambda count: None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def test_an_empty_shard_and_a_late_column_end_no_training(model: Path, tmp_path: Path) -> None:
    late = [{**row, "source": None} for row in ROWS] + [{**ROWS[0], "source": {"of": "web"}, "new": 1}]
    late.append({"prompt": "cat?", "completion": "a bad answer", "label": False})
    training = Training(tmp_path, model, settings(num_train_epochs=1), rows=late)
    data = tmp_path / "data"
    (data / "part-00001.jsonl").touch()
    (data / "more [final].csv").write_text("prompt,completion\ncat?,None\nfox?,007\nowl?,\n")
    (data / "header.csv").write_text("prompt,completion\n")
    (data / "config.json").write_text(json.dumps({"sizes": [1, 2]}, indent=2))
    manifest = judged(data)
    assert (manifest.rows, manifest.usable) == (len(ROWS) + 5, len(ROWS) + 3)
    assert training.run() == 0, training.log[-3000:]
    rows = training.summary.rows
    assert (rows.read, rows.trained, rows.unusable) == (manifest.rows, manifest.usable, 2)
    assert training.summary.data_digest == manifest.digest


def test_settings_that_no_library_takes_end_the_training_for_good(model: Path, tmp_path: Path) -> None:
    nowhere = "lora_dropout: 0, target_modules: [q_proj], layers_to_transform: [99]"
    training = Training(tmp_path, model, settings().replace("lora_dropout: 0.05", nowhere))
    assert training.run() == 45, training.log[-3000:]
    assert training.status.reason == "TrainingImpossible"
    assert "it failed before the first step" in training.status.message
