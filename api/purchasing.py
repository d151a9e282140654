"""Parses a Workspace's purchase annotations: price limit, zones, spot or on demand. Pure.

Admission and the planner call the same functions, which raise ValueError with the accepted form.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from api import labels

CapacityType = Literal["on-demand", "spot"]

CAPACITY_TYPES: Final[tuple[CapacityType, ...]] = ("on-demand", "spot")
"""Karpenter's words, which users of either know."""
ANY_ZONE: Final = "any"
SPOT_QUOTA: Final = "lowPriorityCores"
"""Azure's name of the quota that all spot machines of a region share, whatever their family."""
OPTIONS_MAX: Final = 24
"""Ways to get the nodes, all lists multiplied: each may take minutes, and its plan is on record."""
_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,5})?")
_ZONE = re.compile(r"[1-9]")


def price_limit(text: str) -> float | None:
    """US dollars per hour for all nodes; None where nothing is written. Azure takes five decimal places."""
    if not text.strip():
        return None
    if not _PRICE.fullmatch(text.strip()) or float(text) <= 0:
        raise ValueError("is not a price: use US dollars per hour for all nodes, for instance 7.50")
    return float(text)


def zones(text: str) -> tuple[str, ...]:
    """Zones in the order in which they are tried, each by itself; none where nothing is written."""
    found = _listed(text)
    if any(zone != ANY_ZONE and not _ZONE.fullmatch(zone) for zone in found):
        raise ValueError(f"names no zone: use for instance 1,2,{ANY_ZONE}")
    return found


def capacity_types(text: str) -> tuple[CapacityType, ...]:
    """Spot or on demand, in the order in which they are tried; none where nothing is written."""
    found = _listed(text)
    if any(word not in CAPACITY_TYPES for word in found):
        raise ValueError("is not a capacity type: use on-demand, spot, or spot,on-demand")
    return tuple(kind for word in found for kind in CAPACITY_TYPES if kind == word)


def instance_types(text: str) -> tuple[str, ...]:
    """Machine types in the order in which they are tried after resource.instanceType; spelled as written."""
    return _listed(text, lower=False)


def _listed(text: str, *, lower: bool = True) -> tuple[str, ...]:
    words = (word.strip() for word in text.split(","))
    return tuple(dict.fromkeys(word.lower() if lower else word for word in words if word))


@dataclass(frozen=True)
class PurchaseOption:
    """One way to get the nodes. An empty zone leaves the choice to the cloud."""

    instance_type: str
    spot: bool = False
    zone: str = ""

    def __str__(self) -> str:
        zone = f" in zone {self.zone}" if self.zone else ""
        return f"{self.instance_type}{' as spot' if self.spot else ''}{zone}"


def purchase_options(instance_type: str, annotations: Mapping[str, str]) -> tuple[PurchaseOption, ...]:
    """Every way to get the nodes, in the order in which they are tried: by machine, then by kind of capacity, then by
    zone. Raises ValueError for a value that cannot be read."""
    machines = (instance_type, *instance_types(annotations.get(labels.INSTANCE_TYPE_FALLBACKS, "")))
    kinds = capacity_types(annotations.get(labels.CAPACITY_TYPES, "")) or CAPACITY_TYPES[:1]
    places = zones(annotations.get(labels.ZONES, "")) or (ANY_ZONE,)
    options = (
        PurchaseOption(machine, kind == "spot", "" if zone == ANY_ZONE else zone)
        for machine in machines
        for kind in kinds
        for zone in places
    )
    return tuple(dict.fromkeys(options))


def spot_price(limit: float | None, nodes: int) -> float:
    """Azure's maximum price for one spot machine, to five places; -1 means up to the on-demand price."""
    return -1.0 if limit is None else math.floor(limit / max(nodes, 1) * 1e5) / 1e5
