"""What cannot be trained says so, with a reason, an exit code and words that name what was wrong."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.tuning import ANIMALS, Training, make_model, settings

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def test_a_loss_that_is_no_number_ends_it_before_the_weights_move(tmp_path: Path) -> None:
    training = Training(tmp_path, make_model(tmp_path / "model", "nan"))
    assert training.run() == 50, training.log[-3000:]
    status = training.status
    assert (status.phase, status.reason, status.step) == ("failed", "TrainingDiverged", 0)
    assert "the loss of step 1 is nan; lower learning_rate" in status.message
    assert not training.results.exists()


def test_a_training_that_changes_nothing_ends_with_that_and_not_with_an_adapter(model: Path, tmp_path: Path) -> None:
    # The first step of a warm-up has a learning rate of 0, and it is the only one here.
    training = Training(tmp_path, model, settings(max_steps=1, warmup_steps=5))
    assert training.run() == 46, training.log[-3000:]
    assert training.status.reason == "AdapterWithoutEffect"
    assert "changed nothing" in training.status.message and "raise learning_rate" in training.status.message


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ('".*(lm_head|q_proj)"', "lm_head is the model's head"),
        ('".*mlp.*"', "mlp is a "),
        ('".*norm"', "and no linear module"),
        ('"*"', "is no regular expression"),
        ("[q_proj, input_layernorm]", "input_layernorm is a "),
    ],
)
def test_modules_that_cannot_be_trained_or_served_end_it_before_it_trains(
    model: Path, tmp_path: Path, modules: str, words: str
) -> None:
    text = settings().replace("LoraConfig: {", f"LoraConfig: {{target_modules: {modules}, ")
    training = Training(tmp_path, model, text)
    assert training.run() == 31, training.log[-3000:]
    assert training.status.reason == "ConfigInvalid" and words in training.status.message


@pytest.mark.parametrize("modules", ["[embed_tokens, q_proj]", '".*(embed_tokens|q_proj)"'])
def test_embeddings_of_a_class_that_vllm_does_not_serve_them_of_end_it_before_it_trains(
    tmp_path: Path, modules: str
) -> None:
    text = settings().replace("LoraConfig: {", f"LoraConfig: {{target_modules: {modules}, ")
    training = Training(tmp_path, make_model(tmp_path / "model", "qwen2"), text)
    assert training.run() == 31, training.log[-3000:]
    words = "embed_tokens makes an adapter that vLLM cannot serve with a Qwen2ForCausalLM"
    assert training.status.reason == "ConfigInvalid" and words in training.status.message


def test_out_of_memory_halves_the_rows_at_once_and_reports_it(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", "crowded")
    text = settings(more="ModelConfig: {torch_dtype: float32, trust_remote_code: true}", num_train_epochs=1)
    training = Training(tmp_path, model, text)
    assert training.run() == 0, training.log[-3000:]
    summary = training.summary
    assert (summary.batch_size, summary.accumulation, summary.steps) == (3, 2, 6)
    (words,) = summary.adjustments
    assert "halved at step 0, from 6 x 1 to 3 x 2 (size x accumulation): out of memory" in words


def test_out_of_memory_a_second_time_is_the_end(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", "crowded")
    more = "ModelConfig: {torch_dtype: float32, trust_remote_code: true}"
    training = Training(tmp_path, model, settings(more=more, per_device_train_batch_size=18))
    assert training.run() == 51, training.log[-3000:]
    assert training.status.reason == "TrainingOutOfMemory"
    assert "9 rows at once, and they were halved before" in training.status.message


def test_a_full_disk_is_reported_and_complete_checkpoints_stay(model: Path, tmp_path: Path) -> None:
    training = Training(tmp_path, model, settings(save_steps=1, save_total_limit=100))
    training.checkpoints.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(training.checkpoints)], check=True)
    try:
        assert training.run() == 52, training.log[-3000:]
        assert json.loads(training.log.splitlines()[-1])["reason"] == "TrainingDiskFull"
        markers = sorted(training.checkpoints.glob("checkpoint-*/.complete.json"))
        assert markers
    finally:
        subprocess.run(["umount", str(training.checkpoints)], check=True)


LONG = {"prompt": "p", "completion": " ".join(ANIMALS * 20)}


@pytest.mark.parametrize(
    ("rows", "more", "code", "reason", "words"),
    [
        ([{"colour": "red"}], "", 42, "DataColumnsUnknown", "rows.jsonl: none of the columns colour is known"),
        ([{"prompt": "p", "completion": ""}], "", 40, "DataEmpty", "row 1 of rows.jsonl: column completion is empty"),
        ([LONG], "DatasetConfig: {over_long_rows: refuse}", 43, "DataRowsTooLong", "row 1 of rows.jsonl has 5"),
    ],
)
def test_unusable_data_is_reported_with_its_place(
    rows: list[dict[str, Any]], more: str, code: int, reason: str, words: str, model: Path, tmp_path: Path
) -> None:
    training = Training(tmp_path, model, settings(more=more), rows=rows)
    assert training.run() == code, training.log[-3000:]
    assert training.status.reason == reason
    assert words in training.status.message
    assert words.split()[0] in training.log.splitlines()[-1], "the last line of the log says it too"
