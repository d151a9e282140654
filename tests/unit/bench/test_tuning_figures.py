"""What the bench of tuning makes of its runs, and that both sides are given the same."""

import json
from pathlib import Path

import pytest

from bench.results import Result, print_all
from bench.tuning import BATCH, STEPS, WARM_UP, results_of, typical, written_rows

SLOW = [1.0] * WARM_UP


def test_the_first_steps_do_not_count_and_one_odd_step_does_not_either() -> None:
    assert typical([*SLOW, 100.0, 102.0, 5.0, 101.0, 103.0]) == 101.0
    assert typical([1.0, 7.0]) == 7.0
    with pytest.raises(ValueError, match="none after the first"):
        typical([1.0])


def test_the_figures_are_ratios_of_the_median_runs() -> None:
    runs = {name: [[*SLOW, speed] for speed in speeds] for name, speeds in
            {"ours": (105, 110, 1), "plain": (100, 100, 100), "packed": (210, 210, 210)}.items()}  # fmt: skip
    found = {result.name: result for result in results_of(runs)}
    assert found["tuning"].value == pytest.approx(1.05)
    assert found["tuning"].ok and found["tuning"].n == 3
    assert found["tuning_packing_gain"].value == pytest.approx(2.0)
    assert found["tuning_packing_gain"].ok is None


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
