"""The most that a VM size is taken to cost where money is limited.

Spot machines have no list price: they cost no more than their own maximum, or than on demand.
"""

from collections.abc import Mapping

from presets.machines.prices import price_table
from presets.machines.skus import UnknownSku, find_sku


def node_ceiling(
    machine: str, region: str, *, given: Mapping[str, float] | None = None, spot_maximum: float = -1.0
) -> float | None:
    """US dollars an hour for one node: the price given by the operator, else the list price in the region, else the
    highest known in any region; None if there is none. `spot_maximum` of a spot machine is -1 for up to on demand."""
    price = _own(machine, given or {}) or _listed(machine, region)
    return min(price, spot_maximum) if price is not None and spot_maximum >= 0 else price


def _own(machine: str, given: Mapping[str, float]) -> float | None:
    return next((price for name, price in given.items() if name.lower() == machine.lower()), None)


def _listed(machine: str, region: str) -> float | None:
    try:
        sku = find_sku(machine)
    except UnknownSku:
        return None
    here = sku.price(region)
    elsewhere = (prices[sku.name] for prices in price_table().usd_per_hour.values() if sku.name in prices)
    return max(elsewhere, default=None) if here is None else here
