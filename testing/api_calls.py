"""Counts our processes' calls to the API server, from its own audit log.

A watch counts once, when it begins. The watcher's Lease, renewed every two seconds regardless of load, is left out and
has a figure of its own.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
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

Calls = Counter[str]


class ApiCalls:
    """Counts from `begin` to `end`."""

    def __init__(self, stack: Stack) -> None:
        self._log = audit_log(stack.layout)
        self._offset = 0

    def begin(self) -> None:
        """Starts the interval; earlier calls do not count."""
        time.sleep(WRITTEN_S)
        self._offset = self._log.stat().st_size

    def end(self) -> Calls:
        """Returns how often each "verb resource" was called, Leases left out."""
        time.sleep(WRITTEN_S)
        seen: dict[str, str] = {}
        for event in self._events():
            if event["objectRef"]["resource"] != LEASE:
                seen[event["auditID"]] = _name(event)
        return Counter(seen.values())

    def _events(self) -> Iterator[dict[str, Any]]:
        with self._log.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                event = json.loads(line)
                begun = event["verb"] == "watch"
                # An earlier watch that ends in this interval was counted when it began.
                if "objectRef" in event and event["stage"] == ("ResponseStarted" if begun else "ResponseComplete"):
                    yield event


def _name(event: dict[str, Any]) -> str:
    reference = event["objectRef"]
    resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
    return f"{event['verb']} {resource}"
