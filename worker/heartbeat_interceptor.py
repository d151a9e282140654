"""Beats for activities whose bodies do not: those that only ask, but may take longer than a few seconds.

Which ones these are is in the tables of `activities/contract/`. Bodies that wait report their progress themselves
(`activities/heartbeat.py`): a beat from here would replace it.
"""

from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.contract.policies import HEARTBEAT_EVERY
from activities.contract.signatures import BY_NAME
from activities.heartbeat import beating


class HeartbeatInterceptor(Interceptor):
    """Lets the server know that an activity's start has arrived and that its worker lives."""

    def __init__(self, every: timedelta = HEARTBEAT_EVERY) -> None:
        self._every = every

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wraps one more layer around the activity."""
        return _Beating(next, self._every)


class _Beating(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, every: timedelta) -> None:
        super().__init__(next)
        self._every = every

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        known = BY_NAME.get(info.activity_type)
        if info.heartbeat_timeout is None or known is None or known.waits:
            return await super().execute_activity(input)
        async with beating(self._every):
            return await super().execute_activity(input)
