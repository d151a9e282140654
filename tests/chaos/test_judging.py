"""The judge can say every word it has: planted leftovers, second purchases, Workspaces that never arrive."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.chaos.judging import COPIES, Evidence, Injection, Verdict, judged, last_line

READY = Injection(step="Deploy", fault="worker killed")
GONE = Injection(step="Forget", fault="worker killed", goal="gone")
FAILED = Injection(step="own", fault="quota", goal="failed", purchases=0)
GOOD = Evidence(arrived_s=3.0, gone_s=2.0, copies=COPIES["ready"])
NOTHING = Evidence(arrived_s=3.0, gone_s=0.0, copies={}, purchases=0)


@pytest.mark.parametrize(("injection", "evidence"), [(READY, GOOD), (GONE, NOTHING), (FAILED, NOTHING)])
def test_what_is_as_it_should_be_is_not_called_wrong(injection: Injection, evidence: Evidence) -> None:
    outcome = judged(injection, evidence)
    assert (outcome.wrong, outcome.seconds) == ({}, 3.0)


def test_another_generation_than_the_one_before_the_edit_is_not_restored() -> None:
    restored = Injection(step="argument Restore", fault="worker killed", goal="restored")
    assert not judged(restored, replace(GOOD, generations=(2, 1))).wrong
    assert judged(restored, replace(GOOD, generations=(2, 2))).wrong == {"stuck": "generation 2 was put back, not 1"}
    assert judged(restored, replace(GOOD, arrived_s=None)).wrong == {"stuck": "never restored"}


@pytest.mark.parametrize("left", ["pool ws1", "Node n", "Service s", "Workspace w", "workflow workspace/default/w"])
def test_anything_left_is_a_leak(left: str) -> None:
    assert judged(READY, replace(GOOD, left=(left,))).wrong == {"leaked": left}


def test_what_does_not_arrive_or_does_not_go_is_stuck() -> None:
    assert judged(READY, replace(GOOD, arrived_s=None)).wrong == {"stuck": "never ready"}
    assert judged(GONE, replace(NOTHING, arrived_s=None)).wrong == {"stuck": "never gone"}
    assert judged(READY, replace(GOOD, gone_s=None)).wrong == {"stuck": "never gone"}


@pytest.mark.parametrize("kind", COPIES["ready"])
def test_ready_with_a_part_missing_is_stuck_and_with_a_part_too_many_doubled(kind: str) -> None:
    def with_copies(count: int) -> Mapping[Verdict, str]:
        return judged(READY, replace(GOOD, copies={**COPIES["ready"], kind: count})).wrong

    assert with_copies(0) == {"stuck": f"ready without a {kind}"}
    assert with_copies(2) == {"doubled": f"ready with 2 of {kind}, not 1"}


def test_an_older_generation_that_is_called_ready_is_stuck() -> None:
    assert judged(READY, replace(GOOD, generations=(2, 1))).wrong == {"stuck": "ready with generation 1 of 2"}


def test_a_failed_workspace_that_still_has_something_is_doubled() -> None:
    assert judged(FAILED, replace(NOTHING, copies={"pool": 1})).wrong == {"doubled": "failed with 1 of pool, not 0"}


def test_a_second_purchase_and_a_second_workflow_are_doubled() -> None:
    assert judged(READY, replace(GOOD, purchases=2)).wrong == {"doubled": "bought 2 times, not 1"}
    assert judged(FAILED, replace(NOTHING, purchases=1)).wrong == {"doubled": "bought 1 times, not 0"}
    assert judged(GONE, replace(NOTHING, runs=2)).wrong == {"doubled": "2 workflows"}


def test_everything_wrong_is_told_and_counted_under_each_name() -> None:
    worst = Evidence(arrived_s=None, gone_s=None, purchases=2, runs=2, left=("pool ws1", "Node n"))
    outcome = judged(READY, worst)
    assert outcome.wrong == {
        "leaked": "pool ws1; Node n",
        "stuck": "never ready; never gone",
        "doubled": "bought 2 times, not 1; 2 workflows",
    }
    assert last_line([outcome, judged(READY, GOOD)]) == "leaked 1 of 2, stuck 1 of 2, doubled 1 of 2"
