"""Compute's resource SKU listing: the VM sizes that this subscription may buy in this region, with their properties."""

import re
from typing import Any

from deploy.local.azure.faults import Fault
from presets.machines.skus import Sku, sku_table

ZONES = ("1", "2", "3")
_LOCATION_FILTER = re.compile(r"location eq '([^']*)'", re.IGNORECASE)


def listing(region: str, faults: list[Fault], query: str | None) -> list[dict[str, Any]]:
    """Returns every size of the table as offered in `region`; of OData's $filter `query` only location is supported."""
    wanted = _LOCATION_FILTER.search(query or "")
    if wanted and wanted.group(1).lower() != region.lower():
        return []
    restricted = any(fault.kind == "sku-not-available" and fault.variant == "listed" for fault in faults)
    return [_offer(sku, region, restricted=restricted) for sku in sku_table().skus]


def _offer(sku: Sku, region: str, *, restricted: bool) -> dict[str, Any]:
    zones = list(ZONES) if sku.zones else []
    return {
        "resourceType": "virtualMachines",
        "name": sku.name,
        "tier": "Standard",
        "size": sku.name.removeprefix("Standard_"),
        "family": sku.family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
        "capabilities": [{"name": name, "value": value} for name, value in _capabilities(sku).items()],
        "restrictions": [_restriction(region, zones)] if restricted or sku.retired else [],
    }


def _capabilities(sku: Sku) -> dict[str, str]:
    facts = {
        "vCPUs": str(sku.vcpus),
        "vCPUsAvailable": str(sku.vcpus),
        "MemoryGB": str(sku.ram_gib),
        "NvmeDiskSizeInMiB": str(sku.nvme_gib * 1024),
        "PremiumIO": "True",
        "EphemeralOSDiskSupported": "True",
        "LowPriorityCapable": "True",
    }
    return facts | ({"GPUs": str(sku.gpus)} if sku.gpus else {})


def _restriction(region: str, zones: list[str]) -> dict[str, Any]:
    return {
        "type": "Location",
        "values": [region],
        "restrictionInfo": {"locations": [region], "zones": zones},
        "reasonCode": "NotAvailableForSubscription",
    }
