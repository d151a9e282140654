"""Checks in Azure, before anything is bought, whether a plan can be bought: all checks concurrently, one result each.

Fails open: a check that could not be made is `unknown` and does not stop a Workspace, because the purchase itself
returns the same error a little later. What many Workspaces ask is asked once (`clients/azure_listings.py`), but no old
answer fails a check. The pure functions at the end compare the responses with the plan.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.mgmt.containerservice.models import AgentPool

from activities.clients.azure import Azure
from activities.clients.host_names import HostNames, host_in, no_such_host
from activities.clients.shared_answer import SharedAnswer
from activities.contract import signatures
from activities.contract.plan import Check, Plan, Preflight
from activities.errors.azure import from_azure
from activities.nodes.aks import agent_pool_spec
from api.preflight import CheckName
from api.purchasing import SPOT_QUOTA

Answer = TypeVar("Answer")


class PreflightChecks:
    """SKU offered, vCPU quota, pool limit, and the cluster's own state. `names` tells whether the endpoint exists."""

    def __init__(self, azure: Azure, names: HostNames | None = None) -> None:
        self._names = names or HostNames()
        self._settings, self._listings, self._pools = azure.settings, azure.listings, azure.pools.agent_pools

    @signatures.implements(signatures.READ_PREFLIGHT)
    async def read_preflight(self, plan: Plan) -> Preflight:
        """Returns failed checks as results; the workflow decides by them."""
        checks = {
            CheckName.SKU_OFFERED: self._sku,
            CheckName.VCPU_QUOTA: self._quota,
            CheckName.POOL_LIMIT: self._pool_limit,
        }
        return Preflight(
            checks=list(await asyncio.gather(*(self._guarded(name, check, plan) for name, check in checks.items())))
        )

    async def _sku(self, plan: Plan) -> Check:
        return await _judged(self._listings.sizes, lambda sizes: offered(plan, self._settings.location, sizes))

    async def _quota(self, plan: Plan) -> Check:
        check = _judged(self._listings.usages, lambda usages: within_quota(plan, usages))
        found, bought = await asyncio.gather(check, self._already_bought(plan))
        if bought:
            return Check(name=CheckName.VCPU_QUOTA, outcome="passed", message="the nodes are bought already")
        return found

    async def _already_bought(self, plan: Plan) -> bool:
        """What is the Workspace's own is never taken from a list: a purchase of a moment ago counts."""
        settings = self._settings
        try:
            pool = await self._pools.get(settings.resource_group, settings.cluster, plan.pool_name)
        except ResourceNotFoundError:
            return False
        return agent_pool_spec.owned_by(pool, plan.key)

    async def _pool_limit(self, plan: Plan) -> Check:
        limit = self._settings.pools_per_cluster
        return await _judged(self._listings.pools, lambda pools: within_pool_limit(plan, pools, limit))

    async def _guarded(self, name: str, check: Callable[[Plan], Awaitable[Check]], plan: Plan) -> Check:
        try:
            return await check(plan)
        except AzureError as error:
            found = from_azure(error)
        endpoint = self._settings.endpoint
        if found.type == "CloudUnreachable" and (missing := await self._names.missing(host_in(endpoint))):
            message = f"Azure Resource Manager at {endpoint}: {no_such_host(missing[0])}"
            return Check(name=name, outcome="failed", reason="HostNotFound", message=message)
        return Check(name=name, outcome="unknown", message=str(found))


async def _judged(listing: SharedAnswer[Answer], judge: Callable[[Answer], Check]) -> Check:
    """Judges by an answer that others had too. It may be a little old, so a check that fails by it asks again."""
    now = listing.now()
    found = judge(await listing.get())
    return judge(await listing.get(now)) if found.outcome == "failed" else found


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
    return f"is restricted in {location} for this subscription: {reasons[0] or 'no reason given'}" if reasons else ""


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
