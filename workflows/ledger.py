"""Tracks what a Workspace has cost: node-seconds from ARM accepting a pool until it returns NotFound, at list price.

The time for which the cluster was stopped does not count. Pure: the caller passes the time. An entry is opened before
the purchase, so that a lost worker loses no cost; it is removed again if the purchase never happened.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.resource.status import Cost

SECONDS_PER_HOUR = 3600


class Purchase(BaseModel):
    """One pool while it is billed. `price_per_hour` is US dollars for all its nodes, None if the price is unknown;
    `stopped_s` is for how many seconds its machines did not exist, as far as is known up to `stopped_until`."""

    model_config = ConfigDict(frozen=True)

    pool: str
    instance_type: str
    nodes: int
    price_per_hour: float | None = None
    since: datetime
    confirmed: bool = False
    stopped_s: float = 0
    stopped_until: datetime | None = None

    def with_stop(self, since: datetime, until: datetime) -> "Purchase":
        """Returns the entry after another stop. What is known already does not count twice: stops come in order."""
        began = max(since, self.since, self.stopped_until or self.since)
        if until <= began:
            return self
        stopped_s = self.stopped_s + (until - began).total_seconds()
        return self.model_copy(update={"stopped_s": stopped_s, "stopped_until": until})

    def accepted(self, at: datetime | None) -> "Purchase":
        """Returns the confirmed entry. A stop before ARM has accepted it costs nothing anyway."""
        if at is None or at <= self.since:
            return self.model_copy(update={"confirmed": True})
        return self.model_copy(update={"confirmed": True, "since": at, "stopped_s": 0.0, "stopped_until": None})

    def seconds(self, until: datetime) -> float:
        """For how long it was billed."""
        return max(0.0, (until - self.since).total_seconds() - self.stopped_s)


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
            entry.accepted(accepted_at) if entry.pool == pool and not entry.confirmed else entry for entry in self.open
        ]

    def note_stop(self, since: datetime, until: datetime) -> None:
        """Takes what the cluster was stopped from the time of the open purchases."""
        self.open = [entry.with_stop(since, until) for entry in self.open]

    def close(self, pool: str, gone_at: datetime, *, existed: bool) -> None:
        """Closes the pool's entry. A pool that was neither confirmed nor found on deletion cost nothing."""
        for entry in [entry for entry in self.open if entry.pool == pool]:
            if entry.confirmed or existed:
                self._settle(entry, gone_at)
            self.open.remove(entry)

    def total(self, now: datetime) -> Cost | None:
        """Returns the cost for the status, and what every hour adds from now on; None before any purchase. Without any
        known price, only node-seconds."""
        sums = self.model_copy(deep=True)
        for entry in sums.open:
            if entry.confirmed:
                sums._settle(entry, now)
        if not sums.node_seconds:
            return None
        priced = sums.node_seconds > sums.unpriced_node_seconds
        held = [entry for entry in self.open if entry.confirmed]
        prices = [entry.price_per_hour for entry in held if entry.price_per_hour is not None]
        return Cost(
            spent=f"{sums.usd:.2f}" if priced else None,
            per_hour=f"{sum(prices):.2f}" if prices else None,
            nodes=sum(entry.nodes for entry in held) or None,
            currency="USD" if priced else None,
            node_seconds=round(sums.node_seconds),
            as_of=now,
        )

    def _settle(self, entry: Purchase, until: datetime) -> None:
        seconds = entry.nodes * entry.seconds(until)
        self.node_seconds += seconds
        if entry.price_per_hour is None:
            self.unpriced_node_seconds += seconds
        else:
            self.usd += entry.price_per_hour * seconds / entry.nodes / SECONDS_PER_HOUR
