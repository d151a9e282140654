"""The task queues, one per scarce resource, how much of each a worker runs at once, and in which order they are served.

All but `cloud` belong to the identity with pod rights, `cloud` to the one with cloud rights; neither has both. Which
activity has which place in the order is in policies.py. A server without priority and fairness serves in order of
arrival.
"""

from enum import IntEnum
from typing import Final

from temporalio.common import Priority

WORKSPACES: Final = "workspaces"
"""Workflow tasks and quick Kubernetes calls."""

WAITS: Final = "waits"
"""Hundreds of cheap heartbeating waits."""

RELEASES: Final = "releases"
"""What gives back in the cluster what a Workspace held: apart from `waits`, whose places can all be taken for minutes
by Workspaces that wait for what a release would free."""

CLOUD: Final = "cloud"
"""Azure Resource Manager, rate-limited for the whole queue by the server."""

ALL: Final = (WORKSPACES, WAITS, RELEASES, CLOUD)

AT_ONCE: Final = {WORKSPACES: 32, WAITS: 2000, RELEASES: 2000, CLOUD: 2000}
"""Activities that one worker runs at the same time. Waits cost a heartbeat every few seconds each. Quick calls are few,
so that a crowd queues up where its order counts, at the server, and not inside the worker, where its time to answer
already runs. A release on `cloud` finds room: a cluster has no more pools to buy than a few hundred."""

CLOUD_STARTS_PER_SECOND: Final = 20.0
"""ARM throttles writes per subscription with a token bucket that refills at 10 a second for writes and 25 for reads
(Microsoft, "Understand how Azure Resource Manager throttles requests"); an activity of ours is one or two of them."""


class Order(IntEnum):
    """The order within a queue: what is under way is finished before more is begun."""

    RELEASE = 1
    UNDER_WAY = 2
    PURCHASE = 3
    """Also hourly looks at what runs."""
    BEGINNING = 4
    SWEEP = 5


def started_for(namespace: str) -> Priority:
    """Returns the priority of a Workspace's workflow. Its tasks and activities have the namespace as fairness key, so
    that namespaces take turns however many Workspaces one of them has."""
    return Priority(priority_key=Order.UNDER_WAY, fairness_key=namespace)
