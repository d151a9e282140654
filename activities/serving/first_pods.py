"""Looks for the first pods of a workload that was applied: what a namespace refuses is told before nodes are bought.

`ready_pods.py` goes on looking while pods are waited for; what a refusal means, `refused_pods.py` says.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import PODS
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.serving.refused_pods import FIRST_LOOK_S, PASSING_S, RefusedPods
from activities.serving.steadiness import Standing

WITHIN: Final = timedelta(seconds=5)
"""How long is looked. That no pod comes in this time is no failure: pods of before may have to end first."""
LOOK_S: Final = 1.0


async def look_for_pods(
    view: ClusterView,
    kind: Literal["Deployment", "Job"],
    name: str,
    key: WorkspaceKey,
    *,
    selector: str,
    count: int = 1,
    within: timedelta = WITHIN,
) -> None:
    """Returns when there are `count` pods that the selector matches, or when there are fewer after a while and nobody
    says why. No time at all: does not look, as where no controller runs. Raises PodsForbidden, PodQuotaExceeded."""
    if not within:
        return
    standing, refused = Standing(), RefusedPods(view.cluster, kind, name, key, FIRST_LOOK_S)
    over = datetime.now(UTC) + within
    until = over + timedelta(seconds=2 * PASSING_S)
    async with view.observe(PODS, key.namespace, selector=selector, until=until) as looks:
        async for sight in looks:
            problem = await refused.problem(missing=len(sight.objects) < count)
            if problem and (final := standing.final({name: problem}, time.monotonic())):
                raise failure(final[1].reason, final[1].message, final=True)
            if len(sight.objects) >= count or (problem is None and datetime.now(UTC) >= over):
                return
            looks.again_s = min(LOOK_S, refused.again_s)
