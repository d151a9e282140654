"""What the bench of tuning makes of its runs, and that both sides are given the same."""

import json
import statistics
from pathlib import Path

import pytest

from bench.results import Result, print_all
from bench.tuning import BATCH, STEPS, WARM_UP, compared, results_of, typical, written_rows

SLOW = [1.0] * WARM_UP


def test_the_first_steps_do_not_count_and_one_odd_step_does_not_either() -> None:
    assert typical([*SLOW, 100.0, 102.0, 5.0, 101.0, 103.0]) == 101.0
    assert typical([1.0, 7.0]) == 7.0
    with pytest.raises(ValueError, match="none after the first"):
        typical([1.0])


def test_the_two_are_compared_step_by_step_and_packing_by_its_typical_step() -> None:
    runs = {
        "ours": [[9.0, 9.0, 110.0, 55.0], [9.0, 9.0, 21.0, 220.0]],
        "plain": [[1.0, 1.0, 100.0, 50.0], [1.0, 1.0, 20.0, 100.0]],
        "packed": [[1.0, 1.0, 300.0, 300.0], [1.0, 1.0, 200.0, 200.0]],
    }
    found = {result.name: result for result in results_of(runs)}
    assert found["tuning"].value == pytest.approx(1.1)
    assert found["tuning"].ok and found["tuning"].n == 2
    assert found["tuning_packing_gain"].value == pytest.approx(250 / statistics.median([82.5, 120.5]))
    assert found["tuning_packing_gain"].ok is None


def test_runs_of_different_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compared([([1.0, 1.0, 1.0], [1.0, 1.0])])


def test_there_is_a_row_for_each_step_and_the_rows_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = (written_rows(tmp_path / name / "rows.jsonl") for name in ("a", "b"))
    rows = [json.loads(line) for line in first.read_text().splitlines()]
    assert len(rows) == BATCH * STEPS and first.read_bytes() == second.read_bytes()
    assert len({len(row["completion"].split()) for row in rows}) > BATCH


def test_one_missed_goal_is_all_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    met, missed = Result("a", 2, "s", "", 3), Result("b", 0.9, "times", "", 1.0, limit="at least")
    assert print_all([met]) and not print_all([missed, met])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(line["limit"], line["ok"]) for line in lines]
    assert told == [
        ("at most", True),
        ("at least", False),
        ("at most", True),
    ]
