"""Pods that outlast their grace: their node is gone or does not answer, and only its release ends them. Pure.

A pod's deletionTimestamp is when its grace is over. Such a pod must not hold up the release of the node that it keeps
costing money for.
"""

import math
from datetime import datetime
from typing import Final

from activities.clients.watch import Collection

LATE_S: Final = 15.0
"""After the grace: the kubelet kills, reports and deletes, and clocks differ."""


def seconds_until_late(pods: Collection, now: datetime) -> float:
    """When the last of the pods will have outlasted its grace: 0 or less if all have, infinity while one is not being
    deleted or there is none."""
    ends = [_grace_end(pod["metadata"]) for pod in pods.values()]
    if not ends or None in ends:
        return math.inf
    return max((end - now).total_seconds() for end in ends if end) + LATE_S


def _grace_end(metadata: dict[str, str]) -> datetime | None:
    found = metadata.get("deletionTimestamp")
    return datetime.fromisoformat(found) if found else None
