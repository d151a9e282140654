"""What the SDK makes of a worker's capacity, and what is refused."""

import pytest
from pydantic import ValidationError
from temporalio.worker import PollerBehaviorAutoscaling, PollerBehaviorSimpleMaximum

from activities.contract import queues
from worker.capacity import Capacity
from worker.queue_settings import QueueSettings


@pytest.mark.parametrize("queue", queues.ALL)
@pytest.mark.parametrize("slots", ["fixed", "resources"])
def test_no_worker_takes_more_activities_than_its_queue_allows(queue: str, slots: str) -> None:
    tuner = Capacity.model_validate({"slots": slots}).tuner(queue)
    assert tuner._get_activities_max() == queues.AT_ONCE[queue]


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (Capacity(), PollerBehaviorSimpleMaximum(5)),
        (Capacity(polls=20), PollerBehaviorSimpleMaximum(20)),
        (Capacity(pollers="autoscaling", polls=20), PollerBehaviorAutoscaling(minimum=1, maximum=20, initial=5)),
        (Capacity(pollers="autoscaling", polls=3), PollerBehaviorAutoscaling(minimum=1, maximum=3, initial=3)),
    ],
)
def test_pollers(capacity: Capacity, expected: object) -> None:
    assert capacity.poller() == expected


@pytest.mark.parametrize(
    "text",
    ['{"polls": 1}', '{"polls": 101}', '{"memory": 95}', '{"cpu": 0}', '{"slots": "many"}', '{"pols": 5}'],
)
def test_what_is_out_of_bounds_or_unknown_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_WORKER_CAPACITY", text)
    with pytest.raises(ValidationError, match="worker_capacity"):
        QueueSettings()


def test_it_is_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_WORKER_CAPACITY", '{"slots": "resources", "memory": 60}')
    assert QueueSettings().worker_capacity == Capacity(slots="resources", memory=60)
