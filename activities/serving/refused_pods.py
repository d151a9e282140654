"""Finds out why a Deployment or a Job has no pods: a quota, a limit, Pod Security or a webhook refuses them.

Nothing of it is in any pod: a Deployment says so in its conditions, a Job in its events alone. Asked only while pods
are missing. What else can be wrong with pods is `pods.py`'s.
"""

import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.contract.payloads import WorkspaceKey
from activities.serving.pods import MESSAGE_MAX, Problem
from api.words import one_line

FIRST_LOOK_S: Final = 2.0
"""After an apply: controllers make pods within a second."""
IN_A_WAIT_S: Final = 15.0
"""In a wait for pods, most of which miss some for a moment: when others end, and when a machine is slow."""
AGAIN_S: Final = 5.0
PASSING_S: Final = 20.0
"""How long a refusal stands that may pass by itself: quotas count deleted pods some seconds later, and a namespace's
ServiceAccount is made by a controller. More quota, or another Workspace's end, is waited for by nobody who pays."""
FRESH: Final = timedelta(minutes=10)
"""Of a Job's events: the Job's controller tries again within six minutes."""
_QUOTA: Final = "exceeded quota"
_REFUSED: Final = (" is forbidden", " is invalid", "denied the request", "pod rejected", "violates PodSecurity")
_PASSING: Final = (
    "service account",
    "serviceaccount",
    "failed calling webhook",
    "status unknown for quota",
    "try again",
)
"""What may be there, or answer, a moment later."""
_CREATING: Final = "Error creating: "


class RefusedPods:
    """Of one workload, as long as one wait lasts. Asks for the first time when pods are missing for `first_s`."""

    def __init__(
        self,
        cluster: Cluster,
        kind: Literal["Deployment", "Job"],
        name: str,
        key: WorkspaceKey,
        first_s: float = IN_A_WAIT_S,
    ) -> None:
        self.again_s = math.inf
        self._cluster, self._kind, self._name, self._namespace = cluster, kind, name, key.namespace
        self._first_s = first_s
        self._missing_since: float | None = None
        self._found: Problem | None = None
        self._asked_at = -math.inf

    async def problem(self, *, missing: bool) -> Problem | None:
        """Why pods are not made, as far as it is known; None while none is missing. Sets `again_s`: when to ask next.
        Raises ApiException."""
        now = time.monotonic()
        if not missing:
            self._missing_since, self._found, self.again_s = None, None, math.inf
            return None
        self._missing_since = now if self._missing_since is None else self._missing_since
        due = max(self._missing_since + self._first_s, self._asked_at + AGAIN_S)
        if now >= due:
            self._asked_at, self._found = now, await self._ask()
            due = now + AGAIN_S
        self.again_s = due - now
        return self._found

    async def _ask(self) -> Problem | None:
        found = await self._cluster.get(self._kind, self._name, self._namespace)
        if found is None:
            return None
        words = refusal_of_deployment(found) if self._kind == "Deployment" else await self._told_of(found)
        return problem_of_refusal(f"{self._kind} {self._namespace}/{self._name}", words) if words else None

    async def _told_of(self, job: Object) -> str:
        about = f"involvedObject.uid={job['metadata']['uid']},reason=FailedCreate"
        try:
            events, _ = await self._cluster.list_all("Event", self._namespace, fields=about)
        except ApiException as error:
            if error.status != HTTPStatus.FORBIDDEN:  # roles of an earlier release: a training must not end by it
                raise
            return ""
        return refusal_in_events(events, datetime.now(UTC))


def refusal_of_deployment(deployment: Object) -> str:
    """The API server's words for not taking a pod, or a ReplicaSet; "" if it takes them."""
    status = deployment.get("status") or {}
    is_news = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    for condition in status.get("conditions") or []:
        fails = is_news and condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        # A controller that can make no ReplicaSet does not note that it has seen the generation.
        if fails or condition.get("reason") == "ReplicaSetCreateError":
            return _words(condition.get("message"))
    return ""


def refusal_in_events(events: Iterable[Object], now: datetime) -> str:
    """The API server's words for not taking a pod, of the newest event of a Job; "" without one that is fresh."""
    told = [(at, event) for event in events if (at := _seen(event)) is not None and now - at < FRESH]
    newest = max(told, key=lambda one: one[0], default=None)
    return _words(newest[1].get("message")) if newest else ""


def problem_of_refusal(where: str, words: str) -> Problem:
    """What a refusal means for the Workspace. `where` names what makes the pods."""
    message = f"{where} cannot make its pods: {words}"
    if _QUOTA in words:
        return Problem("PodQuotaExceeded", message, final=False, final_after_s=PASSING_S)
    final = any(word in words for word in _REFUSED) and not any(word in words for word in _PASSING)
    return Problem("PodsForbidden", message, final=final, final_after_s=PASSING_S)


def _words(message: object) -> str:
    return one_line(str(message or "").removeprefix(_CREATING)[:MESSAGE_MAX])


def _seen(event: Object) -> datetime | None:
    """When an event was last seen; several clients write it in several fields."""
    written = (
        (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    )
    try:
        return datetime.fromisoformat(str(written))
    except ValueError:
        return None
