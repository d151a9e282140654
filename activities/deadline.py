"""When the time of an activity is over: its deadline stands still while the cluster is away.

A stopped cluster has no API server, and no worker either if Modelyard runs inside it, while Temporal's clock goes on.
So Temporal is asked to end an activity AWAY_MAX later than a step may take (`contract/policies.py`), and its worker
ends it on time. What counts is the time of attempts that met the API server: every beat of a wait carries when that was
last so, and what was not counted before. `heartbeat.py` sends the beats, `errors/interceptor.py` turns the failure of
an attempt that came too late into the last one.
"""

import time
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract.failures import failure
from activities.contract.policies import AWAY_MAX
from activities.contract.signatures import BY_NAME

LONGEST_SILENCE: Final = timedelta(seconds=20)
"""A shorter time without a worker or an API server counts: one of them is restarted, or a worker has many waits."""
SEEN: Final = "clusterSeen"
"""Marks the part of a heartbeat that is this file's: the last one of its details."""
_AWAY: Final = "ApiServerAway"
_HANDED_OVER: Final = "WorkerDraining"


class Clock:
    """Of one attempt. `away` is the time of the activity that does not count, if the cluster is met in this attempt."""

    def __init__(self, info: activity.Info) -> None:
        self._info = info
        self._began = time.monotonic()
        self._met = False
        self._seen, self._away_before = _carried(info)
        silence = info.started_time - self._seen
        self.away = self._away_before + (silence if silence > LONGEST_SILENCE else timedelta())

    @property
    def deadline(self) -> datetime | None:
        """When the time is over, by Temporal's clock; None where Temporal itself ends the activity in time: a local
        one, or one that an older release has asked for."""
        limit = time_allowed(self._info)
        if limit is None or limit == self._info.schedule_to_close_timeout:
            return None
        return self._info.scheduled_time + limit + self.away

    def now(self) -> datetime:
        """The time by Temporal's clock."""
        return self._info.started_time + timedelta(seconds=time.monotonic() - self._began)

    def note_met(self) -> None:
        """The API server has answered: from now on time counts, until this attempt ends."""
        self._met = True

    def carried(self) -> dict[str, Any]:
        """What the next attempt has to know."""
        seen, away = (self.now(), self.away) if self._met else (self._seen, self._away_before)
        return {SEEN: seen.isoformat(), "away": away.total_seconds()}

    def last(self, error: Exception) -> Exception:
        """Returns the failure with which an attempt ends: a final one if the next attempt would come too late."""
        if not isinstance(error, ApplicationError) or error.non_retryable or self.deadline is None:
            return error
        if error.type == _HANDED_OVER or (error.type == _AWAY and not self._met):
            return error
        if self.now() + self._pause(error) < self.deadline:
            return error
        message = f"{self._info.activity_type} did not end before its deadline; the last error was: {error.message}"
        return failure(error.type or "", message, final=True)

    def _pause(self, error: ApplicationError) -> timedelta:
        policy = self._info.retry_policy
        if error.next_retry_delay is not None or policy is None:
            return error.next_retry_delay or timedelta()
        growing = policy.initial_interval.total_seconds() * policy.backoff_coefficient ** (self._info.attempt - 1)
        longest = policy.maximum_interval or AWAY_MAX
        return timedelta(seconds=min(growing, longest.total_seconds()))


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


def start_clock() -> Clock:
    """Starts the clock of an attempt, which its body finds. Call in the attempt's own task."""
    clock = Clock(activity.info())
    _clock.set(clock)
    return clock


def current_clock() -> Clock | None:
    """The clock of this attempt; None where no worker has started it."""
    return _clock.get()


def deadline_after(limit: timedelta) -> datetime:
    """When so much of the activity's time is over."""
    clock = current_clock()
    return activity.info().scheduled_time + limit + (clock.away if clock else timedelta())


def time_allowed(info: activity.Info) -> timedelta | None:
    """How long the activity may take while the cluster is there; None if nothing limits it."""
    whole = info.schedule_to_close_timeout
    return whole - AWAY_MAX if whole is not None and whole > AWAY_MAX else whole


def without_carried(details: Sequence[Any]) -> tuple[Any, ...]:
    """The details of a heartbeat without the part that is this file's."""
    return tuple(details[:-1] if _is_carried(details) else details)


def _is_carried(details: Sequence[Any]) -> bool:
    return bool(details) and isinstance(details[-1], dict) and SEEN in details[-1]


def _carried(info: activity.Info) -> tuple[datetime, timedelta]:
    """When the cluster was last met, and the time before that does not count."""
    details = info.heartbeat_details
    if _is_carried(details):
        found = details[-1]
        return datetime.fromisoformat(found[SEEN]), timedelta(seconds=found["away"])
    known = BY_NAME.get(info.activity_type)
    # One that only asks says nothing between its attempts: of these, no time is lost but that before the last start.
    return (info.scheduled_time if known and known.waits else info.current_attempt_scheduled_time), timedelta()
