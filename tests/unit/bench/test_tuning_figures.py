"""What the bench of tuning makes of its runs, and that both sides are given the same."""

import json
from pathlib import Path

import pytest

from bench.results import Result, print_all
from bench.tuning.measure import BATCH, SCRIPT, STEPS, WARM_UP, compared, results_of, speed, tokens_of, written_rows

SLOW = [99.0] * WARM_UP
TOKENS = [500] * WARM_UP


def test_the_two_are_compared_step_by_step_and_packing_by_its_tokens() -> None:
    seconds = {"ours": [*SLOW, 1.0, 2.0, 4.0], "plain": [*SLOW, 1.1, 2.0, 40.0], "packed": [*SLOW, 2.0, 2.0, 3.0]}
    tokens = {"ours": [*TOKENS, 100, 200, 400], "plain": [*TOKENS, 100, 200, 400], "packed": [*TOKENS, 500, 500, 400]}
    found = {result.name: result for result in results_of(seconds, tokens)}
    assert found["tuning"].value == pytest.approx(1.1)
    assert found["tuning"].ok and found["tuning"].n == WARM_UP + 3
    assert found["tuning_ours_tokens_per_s"].value == pytest.approx(100)
    assert found["tuning_packing_gain"].value == pytest.approx(2.0)
    assert found["tuning_packing_gain"].ok is None


def test_steps_that_were_not_given_the_same_rows_are_not_compared() -> None:
    seconds = {name: [*SLOW, 1.0] for name in ("ours", "plain", "packed")}
    tokens = {"ours": [*TOKENS, 120], "plain": [*TOKENS, 100], "packed": [*TOKENS, 100]}
    with pytest.raises(ValueError, match="the rows of the steps differ"):
        list(results_of(seconds, tokens))


def test_runs_of_different_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compared([1.0, 1.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="shorter"):
        speed([1.0, 1.0, 1.0], [1, 1])


def test_the_tokens_of_a_step_are_those_since_the_step_before(tmp_path: Path) -> None:
    file = tmp_path / "steps.jsonl"
    file.write_text("".join(json.dumps({"tokens": total}) + "\n" for total in (10, 30, 31)))
    assert tokens_of(file) == [10, 20, 1]


def test_there_is_a_row_for_each_step_and_the_rows_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = (written_rows(tmp_path / name / "rows.jsonl") for name in ("a", "b"))
    rows = [json.loads(line) for line in first.read_text().splitlines()]
    assert len(rows) == BATCH * STEPS and first.read_bytes() == second.read_bytes()
    assert len({len(row["completion"].split()) for row in rows}) > BATCH


def test_the_script_that_ours_is_compared_with_is_there() -> None:
    compile(SCRIPT.read_text(), str(SCRIPT), "exec")


def test_one_missed_goal_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    met, missed = Result("a", 2, "s", "", 3), Result("b", 0.9, "times", "", 1.0, limit="at least")
    assert print_all([met]) and not print_all([missed, met])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(line["limit"], line["ok"]) for line in lines]
    assert told == [
        ("at most", True),
        ("at least", False),
        ("at most", True),
    ]
