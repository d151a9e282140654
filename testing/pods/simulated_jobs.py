"""Runs the pods of Jobs as kubelets do: containers that end, restart or fail, with a termination message.

`rules.py` sets how long they run and how they end; nothing is really executed. While a pod runs, its /healthz returns
the rule's progress, which a controller reads through the API server's pod proxy.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from activities.clients.kubernetes import Object
from api import labels
from testing.pods.rules import JobRule, PodRules
from testing.pods.statuses import ended_status, now, running_status, waiting_status

Report = Callable[[Object, Object], Awaitable[None]]
Until = Callable[[Callable[[], float]], Awaitable[None]]

# The API server's proxy passes the pod's name on; every simulated pod has the same address.
PROXIED: Final = re.compile(r"/api/v1/namespaces/([^/]+)/pods/(?:https?:)?([^/:]+)(?::\d+)?/proxy/")


@dataclass
class JobPods:
    """`report` writes a status to the API server, `until` waits for the current number of seconds in a rule."""

    address: str
    rules: Callable[[], PodRules]
    report: Report
    until: Until
    _failures: Counter[str] = field(default_factory=Counter)
    _running: dict[tuple[str, str], Object] = field(default_factory=dict)

    async def run(self, pod: Object) -> None:
        """Runs from the pod's start to its end, also if another simulated kubelet began it."""
        restarts = _restarts(pod)
        workspace = _label(pod, labels.WORKSPACE)
        await self.until(lambda: self.rules().of_pod(workspace).ready_seconds)
        while True:
            began = now()
            await self.report(pod, running_status(pod, self.address, began, restarts))
            code, message = await self._ended(pod, restarts)
            ended = {"exitCode": code, "message": message, "startedAt": began, "finishedAt": now()}
            ended["reason"] = "Error" if code else "Completed"
            if code == 0 or pod["spec"].get("restartPolicy") != "OnFailure":
                await self.report(pod, ended_status(pod, self.address, ended, restarts))
                return
            restarts += 1
            await self.report(pod, waiting_status(pod, self.address, ended, restarts))
            await self.until(lambda: self._rule(pod).restart_seconds)

    async def health(self, request: web.Request) -> web.Response:
        """Returns the progress of the pod that the API server requested; 503, as its proxy does, if nothing listens."""
        found = PROXIED.match(request.headers.get("X-Forwarded-Uri", ""))
        pod = self._running.get((found[1], found[2])) if found else None
        if pod is None:
            return web.Response(status=503, text="no container of this pod listens")
        return web.json_response(self._rule(pod).progress)

    async def _ended(self, pod: Object, restarts: int) -> tuple[int, str]:
        """Returns exit code and termination message once the run is over."""
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._running[key] = pod
        try:
            await self.until(lambda: self._rule(pod).seconds)
        finally:
            del self._running[key]
        rule, job = self._rule(pod), owning_job(pod)
        if max(self._failures[job], restarts) >= rule.failures:
            return 0, rule.message
        self._failures[job] += 1
        return rule.exit_code, rule.failure_message

    def _rule(self, pod: Object) -> JobRule:
        return self.rules().of_job(_label(pod, labels.WORKSPACE), _label(pod, labels.COMPONENT))


def owning_job(pod: Object) -> str:
    """Returns the uid of the Job that made this pod; empty for other pods."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner["kind"] == "Job" and owner.get("controller")), "")


def _restarts(pod: Object) -> int:
    return max((one["restartCount"] for one in pod["status"].get("containerStatuses") or ()), default=0)


def _label(pod: Object, name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(name, ""))
