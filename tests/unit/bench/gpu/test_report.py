"""The report: JSON, tables, and a sentence for everything that is not as it should be."""

import json

from bench.gpu.figures import Compared
from bench.gpu.parts.running import Outcome
from bench.gpu.plan import Held, Planned
from bench.gpu.report import Report, outcome_document

DONE = Outcome("serve", "done", 61.26, figures={"start_s": 41.5, "throughput": 900.0, "weights_gib": 0.26})
PLAIN = Outcome("serve-plain", "done", 60.0, figures={"throughput": 1000.0})
FAILED = Outcome("tune-lora", "failed", 3.2, reason="ended with 1:\n" + "noise " * 100 + "no such model")
SLOW = Compared("serve", "throughput", 900.0, 1000.0, 0.95)
GOOD = Compared("serve", "throughput", 990.0, 1000.0, 0.95)
TOO_MUCH = Held(Planned("serve", "weights_gib", 0.25, "at most"), 0.26)
WITHIN = Held(Planned("serve", "weights_gib", 0.27, "at most"), 0.26)


def test_nothing_is_wrong_where_all_is_done_every_goal_met_and_every_plan_held() -> None:
    assert Report({}, [DONE, PLAIN], [GOOD], [WITHIN]).problems == []


def test_each_part_goal_and_plan_that_failed_is_a_sentence() -> None:
    failed, slow, much = Report({}, [DONE, FAILED], [SLOW], [TOO_MUCH]).problems
    assert failed.startswith("tune-lora failed: ended with 1: noise") and failed.endswith("no such model")
    assert slow == "serve: answer tokens in all, tokens/s: 900 of ours, 1000 of serve-plain, goal 0.95 times"
    assert much == "serve: weights, GiB is 0.26, planned was at most 0.25"


def test_a_part_that_was_not_run_is_a_problem_too() -> None:
    assert Report({}, [Outcome("serve", "not run", reason="no vllm")], [], []).problems == ["serve not run: no vllm"]


def test_the_document_is_json_with_everything() -> None:
    document = json.loads(json.dumps(Report({"driver": "580"}, [DONE, FAILED], [SLOW], [TOO_MUCH]).document()))
    assert document["where"] == {"driver": "580"}
    assert document["parts"][0] == {"part": "serve", "state": "done", "seconds": 61.3, "figures": dict(DONE.figures)}
    assert document["parts"][1]["reason"] == FAILED.reason
    assert document["compared"][0]["ratio"] == 0.9 and document["compared"][0]["ok"] is False
    assert document["plan"][0]["planned"] == 0.25 and len(document["problems"]) == 3


def test_a_parts_line_has_no_reason_where_it_is_done() -> None:
    assert "reason" not in outcome_document(DONE)


def test_the_tables_have_every_figure_once() -> None:
    tables = Report({"device": "H200"}, [DONE, PLAIN, FAILED], [SLOW], [TOO_MUCH]).tables()
    assert "| serve | answer tokens in all, tokens/s | 900 | 1000 | 0.90 | 0.95, missed |" in tables
    assert "| serve | weights, GiB | at most 0.25 | 0.26 | no |" in tables
    assert "| serve | start until /health answers, s | 41.5 |" in tables
    assert tables.count("answer tokens") == tables.count("| serve | weights") == 1
    assert all(line.startswith("|") for line in tables.splitlines() if line)


def test_a_reason_with_a_bar_does_not_break_the_table() -> None:
    table = Report({}, [Outcome("serve", "failed", 1.0, "a | b")], [], []).tables()
    assert "| serve | failed: a / b | 1 |" in table
