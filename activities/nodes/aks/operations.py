"""When a long-running operation of ARM is looked at: seldom, and about when such operations end.

A look is a request, and an operation of minutes tells nothing before it has ended. So the SDK's way of waiting, which
looks at once, then every Retry-After, and at the end reads the pool too, is replaced. What the end means is decided by
provider.py.
"""

import asyncio
import json
import time
from collections import defaultdict, deque
from datetime import datetime
from statistics import median
from typing import Any, Final, Literal

from azure.core.polling.base_polling import OperationFailed
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

Kind = Literal["put", "delete"]

LONGEST_WAIT_S: Final = 30.0
"""Between two looks, unless ARM asks for more: how much later than its end a failure may be noticed."""
REMEMBERED: Final = 20
UNKNOWN_SHARE: Final = 0.75
"""A process' first operations are looked at again after this share of their age."""
LATE_SHARE: Final = 0.25
"""An operation that lasts longer than usual is looked at again after this share of its age."""
MARGIN_SHARE: Final = 0.02
MARGIN_S: Final = 0.05
"""The first look comes this much after the usual end: a look just before it costs another one."""


class UsualDurations:
    """How long this process' last operations of each kind have lasted, by ARM's own clock."""

    def __init__(self) -> None:
        self._seen: defaultdict[Kind, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def note(self, kind: Kind, seconds: float) -> None:
        """Remembers an operation that has ended well."""
        self._seen[kind].append(max(0.0, seconds))

    def of(self, kind: Kind) -> float | None:
        """The median, or None if none has ended yet."""
        return median(self._seen[kind]) if self._seen[kind] else None

    def wait(self, kind: Kind, began: float, *, least_s: float) -> float:
        """Seconds until the next look at an operation that began at that time of the monotonic clock."""
        return wait_before_look(time.monotonic() - began, usual_s=self.of(kind), least_s=least_s)


def wait_before_look(age_s: float, *, usual_s: float | None, least_s: float) -> float:
    """Seconds until an operation that began `age_s` ago is looked at (again); `least_s` is ARM's Retry-After.

    Without an operation to compare with the waits grow with its age, beginning with twice what ARM allows.
    """
    if usual_s is None:
        wait = max(age_s * UNKNOWN_SHARE, 2 * least_s - age_s)
    else:
        first_look_s = usual_s * (1 + MARGIN_SHARE) + MARGIN_S
        wait = first_look_s - age_s if age_s < first_look_s else age_s * LATE_SHARE
    return max(least_s, min(wait, LONGEST_WAIT_S))


def duration_of(answer: str) -> float | None:
    """Seconds between the times in an operation's status; None if ARM does not give both."""
    try:
        status: Any = json.loads(answer)
        began, ended = (datetime.fromisoformat(status[key]) for key in ("startTime", "endTime"))
        return (ended - began).total_seconds()
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


class SeldomPolling(AsyncARMPolling):
    """The SDK's polling of one operation, with waits of ours, and no read of the pool after its end."""

    def __init__(self, kind: Kind, durations: UsualDurations, *, age_s: float, least_s: float) -> None:
        """`least_s` serves where ARM sends no Retry-After; `age_s` is more than 0 for an operation that is resumed."""
        super().__init__(timeout=least_s)
        self._kind: Kind = kind
        self._durations = durations
        self._began = time.monotonic() - age_s

    async def _poll(self) -> None:
        """Returns at the end of the operation. Raises OperationFailed, which the SDK turns into ARM's error."""
        while not self.finished():
            await asyncio.sleep(self._durations.wait(self._kind, self._began, least_s=self._extract_delay()))
            await self.update_status()
        if self.status().lower() != "succeeded":
            raise OperationFailed("Operation failed or canceled")
        seconds = duration_of(self._pipeline_response.http_response.text())
        if seconds is not None:
            self._durations.note(self._kind, seconds)
