"""A training from its data to its adapter, and what becomes of it when it is lost or stopped on the way."""

import json
import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest

from api.configs.servable import lora_problems
from api.pods.tune import ADAPTER_CONFIG, ADAPTER_WEIGHTS, SENTINEL_FILE, SUMMARY_FILE
from runtime.tune.train.checkpoints import complete_checkpoints
from testing.deadlines import PATIENCE_S
from tests.runtime.tuning import Training, lose, make_model, settings

pytestmark = pytest.mark.timeout(600)
STEPS, INTERVAL = 24, 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def finished(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """One that nothing happened to."""
    training = Training(tmp_path_factory.mktemp("finished"), model)
    assert training.run() == 0, training.log[-3000:]
    return training


def test_the_loss_falls_and_every_step_is_on_record(finished: Training) -> None:
    losses = [step["loss"] for step in finished.steps()]
    assert [step["step"] for step in finished.steps()] == list(range(1, STEPS + 1))
    assert losses[-1] < 0.75 * losses[0]
    status = finished.status
    assert (status.phase, status.step, status.total_steps, status.steps_trained) == ("complete", STEPS, STEPS, STEPS)
    assert status.tokens > 0 and status.peak_memory_bytes > 0 and status.last_checkpoint == STEPS


def test_the_results_are_laid_out_as_kaito_does_with_a_summary_beside(finished: Training) -> None:
    assert sorted(file.name for file in finished.results.iterdir()) == sorted(
        [ADAPTER_CONFIG, ADAPTER_WEIGHTS, SENTINEL_FILE, SUMMARY_FILE]
    )
    told = json.loads((finished.results / ADAPTER_CONFIG).read_bytes())
    assert (told["base_model_name_or_path"], told["revision"]) == ("org/tiny", "a" * 40)
    assert lora_problems(told) == []
    summary = finished.summary
    assert set(summary.target_modules) == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
    }  # fmt: skip
    assert (summary.steps, summary.rows.trained, summary.rank, summary.seed) == (STEPS, 36, 8, 42)
    assert set(summary.files) == {ADAPTER_CONFIG, ADAPTER_WEIGHTS} and summary.packages["peft"]


def test_a_lost_training_resumes_with_the_same_result(model: Path, finished: Training, tmp_path: Path) -> None:
    training = Training(tmp_path, model)
    first = training.start()
    try:
        training.wait_until(lambda: training.status.last_checkpoint >= 2 * INTERVAL, first)
        metrics = httpx.get(f"http://127.0.0.1:{training.port}/metrics", timeout=PATIENCE_S).text
    finally:
        lose(first)
    assert "modelyard_tune_last_checkpoint_step" in metrics
    (identity,) = {training.status.identity}
    good = complete_checkpoints(training.checkpoints, identity)[-1]
    # What a pod leaves that was lost while it wrote the next one.
    cut = training.checkpoints / f"checkpoint-{good.step + INTERVAL}"
    shutil.rmtree(cut, ignore_errors=True)
    shutil.copytree(good.folder, cut)
    os.truncate(cut / ADAPTER_WEIGHTS, 1000)

    assert training.run() == 0, training.log[-3000:]
    status = training.status
    assert (status.resumed_from, status.attempts, status.step) == (good.step, 2, STEPS)
    assert status.steps_trained <= STEPS + INTERVAL
    curve = {step["step"]: step["loss"] for step in training.steps()}
    expected = {step["step"]: step["loss"] for step in finished.steps()}
    assert curve == pytest.approx(expected, rel=1e-3)


def test_a_stopped_training_writes_a_checkpoint_first(model: Path, tmp_path: Path) -> None:
    training = Training(tmp_path, model, settings(num_train_epochs=500, save_strategy="no"))
    process = training.start()
    try:
        training.wait_until(lambda: training.status.step >= 3, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 143, training.log[-3000:]
    finally:
        lose(process)
    status = training.status
    assert (status.phase, status.reason) == ("stopped", "TrainingStopped")
    assert status.last_checkpoint == status.step >= 3
    (checkpoint,) = complete_checkpoints(training.checkpoints, status.identity)
    assert checkpoint.step == status.step


def test_packed_weights_train_on_a_cpu_and_what_is_held_out_is_evaluated_apart(model: Path, tmp_path: Path) -> None:
    text = settings(method="qlora", split=0.9, eval_strategy="steps", eval_steps=5)
    training = Training(tmp_path, model, text, method="qlora")
    assert training.run() == 0, training.log[-3000:]
    losses = [step["loss"] for step in training.steps()]
    assert losses[-1] < 0.75 * losses[0]
    summary = training.summary
    assert (summary.method, summary.rows.held_out) == ("qlora", 4)
    assert summary.eval_loss is not None and summary.eval_loss_base is not None
    assert summary.eval_loss < summary.eval_loss_base


def test_several_processes_train_one_adapter(model: Path, finished: Training, tmp_path: Path) -> None:
    # Twice 3 rows are the 6 of the one process: the same steps, and nearly the same losses.
    training = Training(tmp_path, model, settings(per_device_train_batch_size=3), more={"processes": 2})
    assert training.run() == 0, training.log[-3000:]
    status = training.status
    assert (status.step, status.total_steps, status.steps_trained) == (STEPS, STEPS, STEPS)
    losses = [step["loss"] for step in training.steps()]
    assert losses[-1] < 0.75 * losses[0]
    assert sorted(training.summary.files) == [ADAPTER_CONFIG, ADAPTER_WEIGHTS]
