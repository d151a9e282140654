"""What a training tells becomes its status, its metrics and a line; an earlier pod's words are gone on with."""

import json
import re
from pathlib import Path

from api.pods.tune import STATUS_FILE, STEPS_FILE, TuneStatus
from runtime.tune.progress import Progress


def read(folder: Path) -> TuneStatus:
    return TuneStatus.model_validate_json((folder / STATUS_FILE).read_bytes())


def test_steps_are_counted_also_those_that_are_trained_again(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    progress.take({"phase": "training", "total_steps": 10})
    for step in (1, 2, 3):
        progress.take({"step_trained": {"step": step, "loss": 1 / step}})
    later = Progress(tmp_path)
    later.take({"step_trained": {"step": 3, "loss": 0.3}})
    later.write()
    assert (read(tmp_path).step, read(tmp_path).steps_trained) == (3, 4)
    lines = [json.loads(line) for line in (tmp_path / STEPS_FILE).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 3]


def test_results_of_an_earlier_pod_are_kept_and_its_failure_is_not(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    progress.update(attempts=1, adjustments=["halved"], batch_size=4, identity="i", phase="failed", reason="X")
    status = Progress(tmp_path).status
    assert (status.attempts, status.adjustments, status.batch_size, status.identity) == (1, ["halved"], 4, "i")
    assert (status.phase, status.reason) == ("starting", "")


def test_a_status_file_that_was_cut_off_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / STATUS_FILE).write_text('{"phase": "trai')
    assert Progress(tmp_path).status == TuneStatus()


def test_the_time_to_go_follows_from_the_last_steps(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    progress.take({"phase": "training", "total_steps": 5})
    progress.take({"step_trained": {"step": 1}})
    assert progress.status.eta_s is None
    progress.take({"step_trained": {"step": 3}})
    assert progress.status.eta_s is not None and progress.status.eta_s < 1


def test_metrics_are_gauges_of_what_is_known(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    progress.take({"step_trained": {"step": 7, "loss": 0.25}})
    found = dict(line.split() for line in progress.metrics().splitlines() if not line.startswith("#"))
    assert found["modelyard_tune_step"] == "7" and found["modelyard_tune_loss"] == "0.25"
    assert "modelyard_tune_eval_loss" not in found
    assert all(re.fullmatch(r"modelyard_tune_\w+", name) for name in found)


def test_warnings_are_reported_once(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    for _ in range(2):
        progress.take({"warning": "3 rows were cut off"})
    assert progress.status.warnings == ["3 rows were cut off"]


def test_a_line_says_how_far_it_is(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    progress.take({"phase": "training", "total_steps": 9})
    progress.take({"step_trained": {"step": 4, "loss": 0.5, "tokens_per_s": 12.3}})
    assert progress.line() == "training: step 4 of 9, loss 0.5000, 12 tokens/s"
