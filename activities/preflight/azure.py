"""Checks in Azure, before anything is bought, whether a plan can be bought: all checks concurrently, one result each.

Fails open: a check that could not be made is `unknown` and does not stop a Workspace, because the purchase itself
returns the same error a little later. What many Workspaces ask is asked once (`clients/azure_listings.py`), but no old
answer fails a check. The pure functions at the end compare the responses with the plan.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from azure.core.exceptions import AzureError
from azure.mgmt.containerservice.models import AgentPool

from activities.clients.azure import Azure
from activities.contract import signatures
from activities.contract.plan import Check, Plan, Preflight
from activities.errors.azure import from_azure
from activities.nodes.aks import agent_pool_spec
from api.preflight import CheckName

SPOT_QUOTA: Final = "lowPriorityCores"
"""One quota for spot machines of every family in a region."""
CHECK_S: Final = 12.0
"""A check that lasts longer is unknown; what it asked goes on for whoever asks next."""

Asks = Callable[[Plan, float | None], Awaitable[Check]]
"""A check of a plan by what Azure listed a short while ago, or by what was asked at that moment or later."""


class PreflightChecks:
    """SKU offered, vCPU quota, pool limit, and the cluster's own state."""

    def __init__(self, azure: Azure) -> None:
        self._settings, self._listings = azure.settings, azure.listings

    @signatures.implements(signatures.READ_PREFLIGHT)
    async def read_preflight(self, plan: Plan) -> Preflight:
        """Returns failed checks as results; the workflow decides by them."""
        checks: dict[CheckName, Asks] = {
            CheckName.SKU_OFFERED: self._sku,
            CheckName.VCPU_QUOTA: self._quota,
            CheckName.POOL_LIMIT: self._pool_limit,
        }
        made = (self._checked(name, check, plan) for name, check in checks.items())
        return Preflight(checks=list(await asyncio.gather(*made)))

    async def _checked(self, name: str, check: Asks, plan: Plan) -> Check:
        now = self._listings.pools.now()
        try:
            async with asyncio.timeout(CHECK_S):
                found = await check(plan, None)
                return await check(plan, now) if found.outcome == "failed" else found
        except AzureError as error:
            return Check(name=name, outcome="unknown", message=str(from_azure(error)))
        except TimeoutError:
            message = f"Azure Resource Manager did not answer within {CHECK_S:.0f} s"
            return Check(name=name, outcome="unknown", message=message)

    async def _sku(self, plan: Plan, not_before: float | None) -> Check:
        return offered(plan, self._settings.location, await self._listings.sizes.get(not_before))

    async def _quota(self, plan: Plan, not_before: float | None) -> Check:
        pools, usages = await asyncio.gather(
            self._listings.pools.get(not_before), self._listings.usages.get(not_before)
        )
        return _bought_already(plan, pools) or within_quota(plan, usages)

    async def _pool_limit(self, plan: Plan, not_before: float | None) -> Check:
        return within_pool_limit(plan, await self._listings.pools.get(not_before), self._settings.pools_per_cluster)


def _bought_already(plan: Plan, pools: list[AgentPool]) -> Check | None:
    ours = any(pool.name == plan.pool_name and agent_pool_spec.owned_by(pool, plan.key.uid) for pool in pools)
    message = "the nodes are bought already"
    return Check(name=CheckName.VCPU_QUOTA, outcome="passed", message=message) if ours else None


def within_pool_limit(plan: Plan, pools: list[AgentPool], limit: int) -> Check:
    """Whether the cluster has room for one more pool, if the plan's is not one of those it has."""
    others = [pool for pool in pools if pool.name != plan.pool_name]
    if len(others) < limit:
        return _passed(CheckName.POOL_LIMIT)
    message = f"the cluster has {len(others)} of {limit} node pools. Delete unused ones"
    return Check(name=CheckName.POOL_LIMIT, outcome="failed", reason="PoolLimitReached", message=message)


def offered(plan: Plan, location: str, skus: list[Any]) -> Check:
    """Whether the region, and each zone of the plan, offers the size to this subscription; `skus` are Azure's
    ResourceSku of that region."""
    for sku in skus:
        if sku.resource_type == "virtualMachines" and (sku.name or "").lower() == plan.instance_type.lower():
            against = _restrictions(sku, location) or _zones_without(plan, sku, location)
            return _not_offered(f"{plan.instance_type} {against}") if against else _passed(CheckName.SKU_OFFERED)
    return _not_offered(f"{plan.instance_type} is not offered in {location}")


def _restrictions(sku: Any, location: str) -> str:
    reasons = [one.reason_code for one in sku.restrictions or [] if str(one.type).lower() == "location"]
    return f"is restricted in {location} for this subscription: {reasons[0]}" if reasons else ""


def _zones_without(plan: Plan, sku: Any, location: str) -> str:
    """The plan's zones that do not offer the size, or not to this subscription."""
    there = {str(zone) for info in sku.location_info or [] for zone in info.zones or []}
    restricted = {
        str(zone)
        for one in sku.restrictions or []
        if str(one.type).lower() == "zone" and one.restriction_info
        for zone in one.restriction_info.zones or []
    }
    lacking = [zone for zone in plan.zones if zone not in there - restricted]
    others = ", ".join(sorted(there - restricted)) or "none"
    return f"is not offered in zone {', '.join(lacking)} of {location}, which has it in: {others}" if lacking else ""


def _not_offered(what: str) -> Check:
    message = f"{what}. Choose another instanceType, zone or region"
    return Check(name=CheckName.SKU_OFFERED, outcome="failed", reason="SkuNotAvailable", message=message)


def within_quota(plan: Plan, usages: dict[str, tuple[int, int]]) -> Check:
    """Compares the plan's vCPUs with the quota left: of the family and of the region, or for spot of spot's own quota.

    `usages` is (used, limit) by lower-case name: Azure's two listings differ in the case of a family.
    """
    needed = plan.vcpus_per_node * plan.node_count
    for family in (SPOT_QUOTA,) if plan.spot else (plan.vcpu_family, "cores"):
        used, limit = usages.get(family.lower(), (0, needed))
        if used + needed > limit:
            message = (
                f"{plan.node_count} x {plan.instance_type} need {needed} vCPUs of {family}, {limit - used} of {limit} "
                f"are left. Ask Azure to raise the quota to {used + needed}, or choose another instanceType"
            )
            return Check(name=CheckName.VCPU_QUOTA, outcome="failed", reason="QuotaExceeded", message=message)
    return _passed(CheckName.VCPU_QUOTA)


def _passed(name: CheckName) -> Check:
    return Check(name=name, outcome="passed")
