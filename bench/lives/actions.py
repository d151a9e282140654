"""Counts Temporal's Actions, which its cloud bills, from the server's own metric `action`.

The server counts starts, signals, updates, queries, timers, activities with every retry, recorded heartbeats and search
attributes, as https://docs.temporal.io/cloud/actions lists them. What it counts for its own namespace is left out.
"""

from collections import Counter
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.layout import LOOPBACK, Layout

METRIC: Final = "action"
NAMESPACE: Final = "default"
"""Of Temporal, where the local stack's workflows live."""
ANSWER_S: Final = 15.0


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
