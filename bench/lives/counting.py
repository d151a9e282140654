"""Counts our processes' calls to the API server and to ARM during an interval, in all or per Workspace."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from bench.results import Result
from testing.api_calls import ApiCalls, Seen
from testing.stack import Stack

POLLS: Final = ("GET operation", "GET operationResult")
"""Looks at operations under way, one for each interval of polling that these last."""


@dataclass(frozen=True)
class Calls:
    """What was called in an interval, by verb and resource or by method and route."""

    api: Seen
    arm: "Counter[str]"

    def results(self, what: str, per: float, goals: tuple[float | None, float | None] = (None, None)) -> list[Result]:
        """Both divided by `per`; `goals` are those for the API server and for ARM."""
        polls = sum(self.arm[route] for route in POLLS)
        api = f"{by_call(self.api.calls, per)}; Leases {self.api.leases}; refused {dict(self.api.refused) or 'none'}"
        arm = f"{by_call(self.arm, per)}; of them polls {polls / per:.3g}"
        n, unit = round(per), "calls/Workspace"
        return [
            Result(f"api_calls_{what}", self.api.calls.total() / per, unit, api, goals[0], n),
            Result(f"arm_calls_{what}", self.arm.total() / per, unit, arm, goals[1], n),
            *([_slow(what, self.api, n)] if self.api.slow else []),
        ]


class Counted:
    """Counts from `begin` to `end`; `begin` may be called again."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._api = ApiCalls(stack)

    async def begin(self) -> None:
        """Starts the interval; earlier calls do not count."""
        await asyncio.to_thread(self._api.begin)
        self._stack.arm.reset_calls()

    async def end(self) -> Calls:
        """Returns the calls since `begin`."""
        api = await asyncio.to_thread(self._api.end)
        return Calls(api, Counter(self._stack.arm.calls()))


def by_call(calls: "Counter[str]", per: float = 1.0) -> str:
    """Every call with its share, the most frequent first."""
    each = ", ".join(f"{name} {count / per:.3g}" for name, count in calls.most_common())
    return f"{calls.total()} in all; each {each or 'none'}"


def _slow(what: str, seen: Seen, n: int) -> Result:
    return Result(f"slow_api_calls_{what}", seen.slow.total(), "calls", f"longer than 5 s: {dict(seen.slow)}", n=n)
