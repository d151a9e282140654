"""Tracks what a Workspace has cost: node-seconds from ARM accepting a pool until it returns NotFound, at list price.

Pure: the caller passes the time. An entry is opened before the purchase, so that a lost worker loses no cost; it is
removed again if the purchase never happened.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.resource.status import Cost

SECONDS_PER_HOUR = 3600


class Purchase(BaseModel):
    """One pool while it is billed. `price_per_hour` is US dollars for all its nodes, None if the price is unknown."""

    model_config = ConfigDict(frozen=True)

    pool: str
    instance_type: str
    nodes: int
    price_per_hour: float | None = None
    since: datetime
    confirmed: bool = False


class Ledger(BaseModel):
    """Sums over released pools, and the pools still billed. Only `usd` excludes pools without a known price."""

    open: list[Purchase] = Field(default_factory=list)
    node_seconds: float = 0
    usd: float = 0
    unpriced_node_seconds: float = 0

    def intend(self, purchase: Purchase) -> None:
        """Opens an entry before a purchase; idempotent per pool."""
        if not any(entry.pool == purchase.pool for entry in self.open):
            self.open.append(purchase)

    def confirm(self, pool: str, accepted_at: datetime | None) -> None:
        """Marks the purchase as accepted by the cloud, at `accepted_at` if known."""
        self.open = [
            entry.model_copy(update={"confirmed": True, "since": max(entry.since, accepted_at or entry.since)})
            if entry.pool == pool and not entry.confirmed
            else entry
            for entry in self.open
        ]

    def close(self, pool: str, gone_at: datetime, *, existed: bool) -> None:
        """Closes the pool's entry. A pool that was neither confirmed nor found on deletion cost nothing."""
        for entry in [entry for entry in self.open if entry.pool == pool]:
            if entry.confirmed or existed:
                self._settle(entry, gone_at)
            self.open.remove(entry)

    def total(self, now: datetime) -> Cost | None:
        """Returns the cost for the status; None before any purchase. Without any known price, only node-seconds."""
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
