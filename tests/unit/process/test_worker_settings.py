"""Settings of a worker that would stop workflows are refused when it starts."""

import pytest
from pydantic import ValidationError

from activities.contract.plan import LONGEST_DEADLINE_S
from worker.settings import WorkerSettings


@pytest.mark.parametrize("seconds", [0, -1, LONGEST_DEADLINE_S + 1, 10**13])
def test_a_deadline_that_no_date_ends_stops_no_workflow(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    monkeypatch.setenv("MODELYARD_DEADLINES", f'{{"serving": {seconds}}}')
    with pytest.raises(ValidationError, match=f"serving is {seconds}: set each to 1 to 2678400 seconds"):
        WorkerSettings()


def test_a_month_is_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_DEADLINES", f'{{"training": {LONGEST_DEADLINE_S}}}')
    assert WorkerSettings().deadlines.training == LONGEST_DEADLINE_S
