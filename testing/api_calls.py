"""Counts our processes' calls to the API server, from its own audit log.

A watch counts once, when it begins. Leases, renewed every two seconds regardless of load, are counted apart.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from deploy.local.cluster.flags import audit_log
from deploy.local.services.modelyard import PROGRAMS
from testing.stack import Stack

USERS: Final = tuple(program.identity for program in PROGRAMS)
POLICY: Final[dict[str, object]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": list(USERS)}, {"level": "None"}],
}
LEASE: Final = "leases"
# The audit log is written in batches; the last one is written within a second.
WRITTEN_S: Final = 1.5
SLOW_S: Final = 5.0
REFUSED_FROM: Final = 400

Calls = Counter[str]


@dataclass(frozen=True)
class Seen:
    """How often each "verb resource" was called, Leases left out; `refused` by status and call, `slow` are those that
    took longer than SLOW_S."""

    calls: Calls = field(default_factory=Counter)
    leases: int = 0
    refused: Calls = field(default_factory=Counter)
    slow: Calls = field(default_factory=Counter)


class ApiCalls:
    """Counts from `begin` to `end`."""

    def __init__(self, stack: Stack) -> None:
        self._log = audit_log(stack.layout)
        self._offset = 0

    def begin(self) -> None:
        """Starts the interval; earlier calls do not count."""
        time.sleep(WRITTEN_S)
        self._offset = self._log.stat().st_size

    def end(self) -> Seen:
        """Returns what was called since `begin`."""
        time.sleep(WRITTEN_S)
        with self._log.open("rb") as stream:
            stream.seek(self._offset)
            return seen_in(json.loads(line) for line in stream)


def seen_in(events: Iterator[dict[str, Any]]) -> Seen:
    """Counts the events of an audit log, each request once."""
    requests = {event["auditID"]: event for event in events if _counts(event)}
    named = [(_name(event), event) for event in requests.values()]
    others = [(name, event) for name, event in named if event["objectRef"]["resource"] != LEASE]
    statuses = [(event.get("responseStatus", {}).get("code", 0), name) for name, event in others]
    return Seen(
        calls=Counter(name for name, _ in others),
        leases=len(named) - len(others),
        refused=Counter(f"{status} {name}" for status, name in statuses if status >= REFUSED_FROM),
        slow=Counter(name for name, event in others if event["verb"] != "watch" and _seconds(event) > SLOW_S),
    )


def _counts(event: dict[str, Any]) -> bool:
    """An earlier watch that ends in this interval was counted when it began."""
    counted = "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"
    return "objectRef" in event and event["stage"] == counted


def _seconds(event: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(event[key]) for key in ("requestReceivedTimestamp", "stageTimestamp"))
    return (ended - began).total_seconds()


def _name(event: dict[str, Any]) -> str:
    reference = event["objectRef"]
    resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
    return f"{event['verb']} {resource}"
