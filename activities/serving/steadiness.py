"""Judges whether a pod that is ready stays so: a server that crashes again and again is ready between two crashes.

For pods that nobody asks for a completion, a template's; those of presets have to answer one. Pure, but for `Standing`,
which one wait keeps: for how long it has seen a problem. What a problem is, `pods.py` says.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from activities.clients.kubernetes import Object
from activities.serving.pods import Problem

STEADY_S: Final = 10.0
"""How long a pod has to have been ready: a server that cannot load its model often ends within seconds of listening."""
STEADY_AFTER_A_CRASH_S: Final = 60.0
"""How long a container that has crashed has to have run since. One that crashes less often is restarted by the kubelet
and is lost for a moment each time, which is said then."""
CLOCKS_APART_S: Final = 60.0
"""By how much the clock of a node may be ahead; of one that is further ahead nothing can be told, and nothing is."""


def seconds_until_steady(pod: Object, now: datetime) -> float:
    """0 if the pod, which is ready, counts as such. `now` is in UTC."""
    status = pod.get("status", {})
    ready = [one for one in status.get("conditions") or [] if one["type"] == "Ready"]
    waits = [_left(one.get("lastTransitionTime"), STEADY_S, now) for one in ready]
    for container in status.get("containerStatuses") or []:
        running = (container.get("state") or {}).get("running") or {}
        if container.get("restartCount", 0) > 0:
            waits.append(_left(running.get("startedAt"), STEADY_AFTER_A_CRASH_S, now))
    return max(waits, default=0.0)


class Standing:
    """Since when each problem of a wait has stood. A wait that begins again, in another process, counts anew."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], float] = {}

    def final(self, problems: Mapping[str, Problem], now: float) -> tuple[str, Problem] | None:
        """Returns the first problem, of all that are seen now by the name of their object, that waiting does not
        resolve; None if there is none. `now`: a clock that only goes forward."""
        found = {(name, problem.reason): problem for name, problem in problems.items()}
        self._since = {key: self._since.get(key, now) for key in found}
        for key, problem in found.items():
            if problem.final or now - self._since[key] >= problem.final_after_s:
                return key[0], problem
        return None

    def left_s(self, problems: Mapping[str, Problem], now: float) -> float:
        """Seconds until the next of these problems becomes final; infinite if none does."""
        since = {name: self._since.get((name, problem.reason), now) for name, problem in problems.items()}
        left = (since[name] + problem.final_after_s - now for name, problem in problems.items())
        return max(0.0, min(left, default=math.inf))


def _left(since: object, wanted_s: float, now: datetime) -> float:
    """Of the seconds that something has to last which began at `since`, as Kubernetes writes times; 0 if it does not
    say."""
    try:
        began = datetime.fromisoformat(str(since))
    except ValueError:
        return 0.0
    age_s = (now - (began if began.tzinfo else began.replace(tzinfo=UTC))).total_seconds()
    return 0.0 if age_s < -CLOCKS_APART_S else max(0.0, wanted_s - max(age_s, 0.0))
