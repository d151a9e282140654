"""Counts Temporal's Actions, which its cloud bills, from the server's own metric `action` or from a history.

The server counts starts, signals, updates, queries, timers, activities with every retry, recorded heartbeats and search
attributes, as https://docs.temporal.io/cloud/actions lists them. What it counts for its own namespace is left out.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from deploy.local.layout import LOOPBACK, Layout

METRIC: Final = "action"
NAMESPACE: Final = "default"
"""Of Temporal, where the local stack's workflows live."""
ANSWER_S: Final = 15.0
IN_HISTORY: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_MARKER_RECORDED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    }
)
"""Events that are Actions. Heartbeats, queries, retries and what a schedule has are in no history."""


def read_actions(layout: Layout) -> "Counter[str]":
    """Returns the Actions since the server's start, by type. Raises httpx.HTTPError."""
    url = f"http://{LOOPBACK}:{layout.ports.temporal_metrics}/metrics"
    # Straight to this machine, whatever proxy the environment names.
    with httpx.Client(trust_env=False, timeout=ANSWER_S) as client:
        return actions_in(client.get(url).raise_for_status().text)


def actions_in(text: str) -> "Counter[str]":
    """Returns the Actions of our namespace in a page of metrics, by type, without `grpc_` or `command_`."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name == METRIC and sample.labels.get("namespace") == NAMESPACE:
                kind = sample.labels["action_type"].removeprefix("grpc_").removeprefix("command_")
                found[kind] += round(sample.value)
    return found


def actions_of(events: Iterable[HistoryEvent]) -> "Counter[str]":
    """Returns the Actions that a history shows, by event."""
    names = (EventType.Name(event.event_type) for event in events if event.event_type in IN_HISTORY)
    return Counter(name.removeprefix("EVENT_TYPE_") for name in names)
