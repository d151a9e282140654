"""Counts our processes' calls to the API server and to ARM during an interval, as results per Workspace."""

import asyncio
from collections import Counter

from bench.results import Result
from testing.api_calls import ApiCalls
from testing.stack import Stack


class Counted:
    """Counts from `begin` to `end`; `begin` may be called again."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._api = ApiCalls(stack)

    async def begin(self) -> None:
        """Starts the interval; earlier calls do not count."""
        await asyncio.to_thread(self._api.begin)
        self._stack.arm.reset_calls()

    async def end(self, what: str, per: float, goals: tuple[float | None, float | None] = (None, None)) -> list[Result]:
        """Returns the calls since `begin`, divided by `per`; `goals` are those for the API server and for ARM."""
        api = await asyncio.to_thread(self._api.end)
        arm = Counter(self._stack.arm.calls())
        return [
            Result(
                f"{name}_calls_{what}", calls.total() / per, "calls/Workspace", _by_call(calls, per), goal, round(per)
            )
            for name, calls, goal in (("api", api, goals[0]), ("arm", arm, goals[1]))
        ]


def _by_call(calls: "Counter[str]", per: float) -> str:
    each = ", ".join(f"{name} {count / per:.3g}" for name, count in calls.most_common())
    return f"{calls.total()} in all; each {each or 'none'}"
