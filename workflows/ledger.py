"""What a Workspace has cost: node-seconds of what was really bought, from ARM's yes to its NotFound, at list price.

Pure: the caller says what time it is. Intent opens an entry before the purchase, so that a lost worker loses no cost; a
purchase that never came about takes its entry away again.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.resource.status import Cost

SECONDS_PER_HOUR = 3600


class Purchase(BaseModel):
    """One pool while it is paid for. `price_per_hour` is US dollars for all its nodes, None where no price is known."""

    model_config = ConfigDict(frozen=True)

    pool: str
    instance_type: str
    nodes: int
    price_per_hour: float | None = None
    since: datetime
    confirmed: bool = False


class Ledger(BaseModel):
    """Sums of what was given back, and what is still paid for. Only `usd` leaves out what has no known price."""

    open: list[Purchase] = Field(default_factory=list)
    node_seconds: float = 0
    usd: float = 0
    unpriced_node_seconds: float = 0

    def intend(self, purchase: Purchase) -> None:
        """What is about to be bought; a second try for the same pool changes nothing."""
        if not any(entry.pool == purchase.pool for entry in self.open):
            self.open.append(purchase)

    def confirm(self, pool: str, accepted_at: datetime | None) -> None:
        """The cloud said yes, at this moment where it is known."""
        self.open = [
            entry.model_copy(update={"confirmed": True, "since": max(entry.since, accepted_at or entry.since)})
            if entry.pool == pool and not entry.confirmed
            else entry
            for entry in self.open
        ]

    def close(self, pool: str, gone_at: datetime, *, existed: bool) -> None:
        """The pool is gone. One that was neither confirmed nor there to delete never cost anything."""
        for entry in [entry for entry in self.open if entry.pool == pool]:
            if entry.confirmed or existed:
                self._settle(entry, gone_at)
            self.open.remove(entry)

    def total(self, now: datetime) -> Cost | None:
        """The status' view; None before anything was bought. Without any known price the amount is left out."""
        sums = self.model_copy(deep=True)
        for entry in sums.open:
            if entry.confirmed:
                sums._settle(entry, now)
        if not sums.node_seconds:
            return None
        priced = sums.node_seconds > sums.unpriced_node_seconds
        return Cost(
            spent=f"{sums.usd:.2f}" if priced else None,
            currency="USD" if priced else None,
            node_seconds=round(sums.node_seconds),
            as_of=now,
        )

    def _settle(self, entry: Purchase, until: datetime) -> None:
        seconds = entry.nodes * max(0.0, (until - entry.since).total_seconds())
        self.node_seconds += seconds
        if entry.price_per_hour is None:
            self.unpriced_node_seconds += seconds
        else:
            self.usd += entry.price_per_hour * seconds / entry.nodes / SECONDS_PER_HOUR
