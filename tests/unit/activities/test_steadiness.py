"""A server that crashes again and again is never taken for one that serves, not even between two crashes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.serving.pods import Problem
from activities.serving.steadiness import STEADY_AFTER_A_CRASH_S, STEADY_S, Standing, seconds_until_steady

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def a_pod(ready_s: float, *, runs_s: float = 3600, restarts: int = 0) -> dict[str, Any]:
    container = {"name": "llm", "restartCount": restarts, "state": {"running": {"startedAt": ago(runs_s)}}}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": ago(ready_s)}
    return {"metadata": {"name": "p"}, "status": {"conditions": [ready], "containerStatuses": [container]}}


@pytest.mark.parametrize(
    ("pod", "left_s"),
    [
        pytest.param(a_pod(2), STEADY_S - 2, id="ready two seconds ago"),
        pytest.param(a_pod(STEADY_S), 0, id="ready for a while"),
        pytest.param(a_pod(20, runs_s=25, restarts=1), STEADY_AFTER_A_CRASH_S - 25, id="between two crashes"),
        pytest.param(a_pod(50, runs_s=STEADY_AFTER_A_CRASH_S, restarts=6), 0, id="long after a crash"),
        pytest.param(a_pod(-5), STEADY_S, id="the node's clock is some seconds ahead"),
        pytest.param(a_pod(-3600), 0, id="of a clock that is wrong nothing is told"),
        pytest.param({"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}, 0, id="untold"),
        pytest.param({"metadata": {}}, 0, id="nothing said"),
    ],
)
def test_a_pod_counts_when_it_has_stayed_ready(pod: dict[str, Any], left_s: float) -> None:
    assert seconds_until_steady(pod, NOW) == pytest.approx(left_s)


def test_a_problem_that_stands_becomes_final_and_one_that_went_counts_anew() -> None:
    problem = Problem("ImagePullError", "no such image", final=False, final_after_s=60)
    standing, seen = Standing(), {"p": problem}
    assert standing.final(seen, 100) is None and standing.left_s(seen, 100) == 60
    assert standing.final(seen, 159) is None and standing.left_s(seen, 159) == 1
    standing.final({}, 160)
    assert standing.final(seen, 190) is None, "it was gone in between"
    assert standing.final(seen, 250) == ("p", problem)


def test_a_final_problem_needs_no_time() -> None:
    problem = Problem("PodsForbidden", "no", final=True)
    assert Standing().final({"a": Problem("Unschedulable", "", final=False), "": problem}, 0) == ("", problem)
