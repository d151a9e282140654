"""One wait for a workload's pods: which of them serve, and what stands against the others. `workloads.py` waits.

What a problem means is decided by pure functions (`pods.py`, `steadiness.py`, `refused_pods.py`); here they are put
together, and the evidence is read before whoever cleans up removes the pods.
"""

import time
from datetime import UTC, datetime
from typing import Any, Final

from activities.clients.kubernetes import Cluster, Object
from activities.clients.pod_proxy import PodProxy
from activities.clients.view.cluster_view import Looks, Sight
from activities.clients.watch import Collection
from activities.contract.failures import failure
from activities.contract.serving import ServingRequest
from activities.serving import pods
from activities.serving.last_words import LastWords, with_last_words
from activities.serving.pods import Problem
from activities.serving.refused_pods import RefusedPods
from activities.serving.steadiness import Standing, seconds_until_steady
from api import names

WORKLOAD: Final = ""
"""The name under which a problem of the whole workload stands."""


class ReadyPods:
    """What one wait has seen."""

    def __init__(self, cluster: Cluster, request: ServingRequest) -> None:
        self._request = request
        self._standing = Standing()
        self._words = LastWords(PodProxy(cluster))
        name = names.workload(request.workspace.name)
        self._refused = RefusedPods(cluster, "Deployment", name, request.workspace)
        self._not_ready: Collection = {}

    def ready(self, own: Collection) -> tuple[list[str], float]:
        """Returns the names of the pods that serve, and the seconds until another one that is ready counts."""
        now, digest = datetime.now(UTC), self._request.digest
        waits = {
            name: seconds_until_steady(pod, now) if self._request.steady else 0.0
            for name, pod in own.items()
            if pods.is_ready(pod, digest)
        }
        ready = sorted(name for name, wait_s in waits.items() if wait_s <= 0)
        return ready, min((wait_s for wait_s in waits.values() if wait_s > 0), default=float("inf"))

    async def check(self, sight: Sight, looks: Looks, own: Collection, ready: list[str]) -> None:
        """Raises the reason if waiting for more than the `ready` pods is in vain; else sets when to look again."""
        of_digest = {name: pod for name, pod in own.items() if pods.digest_of(pod) == self._request.digest}
        living = {name: pod for name, pod in of_digest.items() if "deletionTimestamp" not in pod["metadata"]}
        self._not_ready = {name: pod for name, pod in living.items() if name not in ready}
        problems = {name: found for name, pod in self._not_ready.items() if (found := pods.problem_of(pod))}
        # While pods of before are still there, new ones may not be made yet.
        missing = len(living) < self._request.replicas and not own.keys() - living.keys()
        if refusal := await self._refused.problem(missing=missing):
            problems[WORKLOAD] = refusal
        final = self._standing.final(problems, time.monotonic())
        # Strictly: the pods of a failed pass have the same digest as those of the next one.
        if final and (final[0] == WORKLOAD or await sight.holds([final[0]], strictly=True)):
            raise await self._failed(final[1], [living[final[0]]] if final[0] in living else [])
        looks.again_s = min(self._standing.left_s(problems, time.monotonic()), self._refused.again_s)

    async def too_late(self, own: Collection) -> Exception:
        """Why there were too few at the deadline."""
        found = [problem for pod in self._not_ready.values() if (problem := pods.problem_of(pod))]
        if found:
            return await self._failed(found[0], list(self._not_ready.values()))
        names_seen = ", ".join(sorted(own)) or "no pod"
        expected = f"{self._request.replicas} ready pods were expected at the deadline, found: {names_seen}"
        return await self._failed(Problem("ServingTimeout", expected, final=True), list(self._not_ready.values()))

    async def _failed(self, problem: Problem, failed: list[Object]) -> Exception:
        logs = await self._words.of(failed)
        message = with_last_words(problem, logs)
        kept: dict[str, Any] = {"logs": logs} if logs else {}
        return failure(problem.reason, message, final=True, **kept)
