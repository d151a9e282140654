"""Whether a purchase is allowed beside what is there already: judged before it, and once more when it was accepted.

Of two purchases at the same moment, in one process or in several, each may be allowed alone. Within a process a
purchase that is under way counts for the next one. Among processes whoever finds too much after its own was accepted
gives it back: everybody looks after the acceptance, so the last one sees all. What is there, and how something is given
back, is each provider's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from activities.contract.failures import failure
from api.policy.document import Policy
from api.policy.purchases import PolicySource, Purchase, has_amounts, refusal
from presets.machines.ceiling import node_ceiling

YIELD_S: Final = 30.0
"""How long the first of several, by name, waits for the others to give theirs back before it gives back its own."""
POLL_S: Final = 1.0
TOGETHER_S: Final = 0.5
"""Whoever was accepted within this time looks at the same list. Nodes take minutes."""
ReadPurchases = Callable[[float], Awaitable[Sequence[Purchase]]]
"""Lists what all Workspaces have, from a list that begins at this time of the monotonic clock or later."""


class Allowance:
    """The purchases of one provider in one process."""

    def __init__(
        self,
        policy: PolicySource,
        region: str,
        read: ReadPurchases,
        *,
        yield_s: float = YIELD_S,
        poll_s: float = POLL_S,
    ) -> None:
        self._policy, self._region, self._read = policy, region, read
        self._yield_s, self._poll_s = yield_s, poll_s
        self._lock = asyncio.Lock()
        self._under_way: dict[str, Purchase] = {}
        self._settled_at = 0.0
        """No list that began earlier is sure to show the purchases that have ended."""

    def price(self, machine: str, spot_maximum: float = -1.0) -> float | None:
        """US dollars an hour for one node, at most; None if it is not known."""
        return node_ceiling(machine, self._region, given=self._policy().prices, spot_maximum=spot_maximum)

    @asynccontextmanager
    async def buying(self, wanted: Purchase) -> AsyncIterator[None]:
        """The block buys, and others count what it buys until it ends. Raises PolicyRefused if the policy does not
        allow it, CloudBusy while nodes that are being released are in its way."""
        async with self._lock:
            await self._require(wanted)
            self._under_way[wanted.name] = wanted
        try:
            yield
        finally:
            self._under_way.pop(wanted.name, None)
            self._settled_at = time.monotonic()

    async def excess(self, wanted: Purchase) -> str:
        """Returns why a purchase that was accepted must be given back; empty if it may stay."""
        until = time.monotonic() + self._yield_s
        while has_amounts(policy := self._policy(), wanted.namespace):
            accepted_at = time.monotonic()
            await asyncio.sleep(-accepted_at % TOGETHER_S)
            found = await self._read(accepted_at)
            others = [each for each in found if each.name != wanted.name and not each.leaving]
            refused = refusal(policy, wanted, others)
            yields = any(each.name > wanted.name for each in others if each.under_way)
            if not refused or not yields or time.monotonic() >= until:
                return refused
            await asyncio.sleep(self._poll_s)
        return ""

    async def _require(self, wanted: Purchase) -> None:
        policy = self._policy()
        refused = refusal(policy, wanted)
        if not refused and has_amounts(policy, wanted.namespace):
            refused = self._against(policy, wanted, found := await self._read(self._settled_at))
            if refused:  # by a list that may be a little old
                refused = self._against(policy, wanted, found := await self._read(time.monotonic()))
            if refused and not self._against(policy, wanted, [each for each in found if not each.leaving]):
                raise failure("CloudBusy", f"{refused}. It is tried again when those are gone")
        if refused:
            raise failure("PolicyRefused", refused)

    def _against(self, policy: Policy, wanted: Purchase, found: Sequence[Purchase]) -> str:
        there = [*(each for each in found if each.name not in self._under_way), *self._under_way.values()]
        return refusal(policy, wanted, [each for each in there if each.name != wanted.name])
