"""vCPU quota: the usage of the pools, whether a pool still fits, and the usages as Compute lists them.

Spot machines count against the region's low-priority quota, the others against their family's and the region's.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from deploy.local.azure.errors import ArmError, ErrorBody, bad_request, operation_not_allowed
from deploy.local.azure.records import Pool, Records, Settings
from presets.machines.skus import Sku, find_sku, sku_table

REGIONAL, LOW_PRIORITY = "cores", "lowPriorityCores"
QUOTA_LINK = "https://aka.ms/ProdportalCRP/?#create/Microsoft.Support"


def used(pools: Iterable[Pool]) -> Counter[str]:
    """Returns the vCPUs in use by quota name."""
    total: Counter[str] = Counter()
    for pool in pools:
        total.update(_taken(find_sku(pool.vm_size), pool.count, spot=pool.spot))
    return total


def limit(settings: Settings, quota: str) -> int:
    """Returns the vCPUs allowed under this quota name; family names are compared without case."""
    if quota == REGIONAL:
        return settings.regional_limit
    if quota == LOW_PRIORITY:
        return settings.low_priority_limit
    named = {family.lower(): figure for family, figure in settings.family_limits.items()}
    return named.get(quota.lower(), settings.family_limit)


def check(records: Records, sku: Sku, count: int, *, pool: str, spot: bool, region: str) -> None:
    """Refuses a pool of `count` machines that does not fit beside the other pools. Raises ArmError."""
    others = used(other for other in records.pools.values() if other.name != pool)
    held = used(other for other in records.pools.values() if other.name == pool)
    for quota, wanted in _taken(sku, count, spot=spot).items():
        remaining = limit(records.settings, quota) - others[quota]
        # A pool that does not grow is never refused: a limit may have been lowered below what is held.
        if wanted > max(remaining, held[quota]):
            raise insufficient(wanted, remaining, quota, region)


def insufficient(wanted: int, remaining: int, quota: str, region: str) -> ArmError:
    """AKS's own check, which refuses the request itself."""
    return bad_request(
        f"Insufficient vcpu quota requested {wanted}, remaining {remaining} for family {quota} for region {region}. "
        "Surge nodes would also consume vcpu quota, please consider use maxUnavailable instead of maxSurge. "
        f"Please request quota increase or use different VM sizes, see {QUOTA_LINK}",
        code="ErrCode_InsufficientVCPUQuota",
    )


def nested_quota_error(current: int, cap: int, wanted: int, quota: str, region: str) -> ArmError:
    """The same refusal from one layer below: Compute's validation of a template, wrapped by AKS."""
    inner = ErrorBody(code="QuotaExceeded", message=_exceeding(current, cap, wanted, quota, region))
    template = ErrorBody(
        code="InvalidTemplateDeployment",
        message="The template deployment failed its validation. See inner errors for details.",
        details=(inner,),
    )
    message = "Provisioning of resource(s) for Agent Pool failed. Error: " + inner.message
    return ArmError(400, ErrorBody(code="BadRequest", message=message, details=(template,)))


def cores_quota_error(current: int, cap: int, wanted: int, quota: str, region: str) -> ArmError:
    """The variant that reports a quota under the code of a busy cluster: only the message differs."""
    return operation_not_allowed(_exceeding(current, cap, wanted, quota, region))


def usages(records: Records) -> list[dict[str, Any]]:
    """Returns Compute's list of usages in this region."""
    families = dict.fromkeys(sku.family for sku in sku_table().skus)
    taken = used(records.pools.values())
    labels = {REGIONAL: "Total Regional vCPUs", LOW_PRIORITY: "Total Regional Low-priority vCPUs"}
    names = {**labels, **{family: _localized(family) for family in families}}
    return [
        {
            "unit": "Count",
            "currentValue": taken[name],
            "limit": limit(records.settings, name),
            "name": {"value": name, "localizedValue": label},
        }
        for name, label in names.items()
    ]


def _taken(sku: Sku, count: int, *, spot: bool) -> dict[str, int]:
    vcpus = sku.vcpus * count
    return {LOW_PRIORITY: vcpus} if spot else {sku.family: vcpus, REGIONAL: vcpus}


def _exceeding(current: int, cap: int, wanted: int, quota: str, region: str) -> str:
    return (
        f"Operation could not be completed as it results in exceeding approved {quota} Cores quota. "
        "Additional details - Deployment Model: Resource Manager, "
        f"Location: {region}, Current Limit: {cap}, Current Usage: {current}, "
        f"Additional Required: {wanted}, (Minimum) New Limit Required: {current + wanted}. "
        f"Submit a request for Quota increase at {QUOTA_LINK}"
    )


def _localized(family: str) -> str:
    bare = family if " " in family else "Standard " + family[len("standard") :].removesuffix("Family") + " Family"
    return f"{bare} vCPUs"
