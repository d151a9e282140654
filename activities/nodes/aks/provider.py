"""Creates and deletes AKS agent pools. Every call is idempotent: names are deterministic, and ARM is queried first.

A long-running operation is resumed from its continuation token after a worker is lost, so that no second PUT is sent.
agent_pool_spec.py builds the pools, errors/azure.py maps the errors.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.core.polling import AsyncLROPoller
from azure.mgmt.containerservice.models import AgentPool
from temporalio import activity

from activities.clients.azure import Azure
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.contract.sweep import Inventory, OwnedResource, SweepScope
from activities.heartbeat import Progress, heartbeating
from activities.nodes.aks import agent_pool_spec
from activities.nodes.aks.agent_pool_spec import PoolState

DELETING: Final = "deleting"
"""Heartbeat detail of a release: a pool existed, whichever attempt found it."""
SETTLE_S: Final = 1.0
"""A PUT whose sender was killed can reach ARM this much later; a pool counts as gone after two NotFound."""


class AgentPools:
    """One agent pool per Workspace in one AKS cluster."""

    def __init__(self, azure: Azure) -> None:
        self._operations = azure.pools.agent_pools
        self._cluster = (azure.settings.resource_group, azure.settings.cluster)
        self._poll_s = azure.settings.polling_interval

    @signatures.implements(signatures.ENSURE_NODE_POOL)
    async def ensure_node_pool(self, plan: Plan) -> PoolBought:
        """Returns when ARM reports Succeeded. Raises QuotaExceeded, SkuNotAvailable, AllocationFailed, PoolFailed,
        OwnershipConflict, CloudBusy and the other reasons of errors/azure.py."""
        async with heartbeating() as progress:
            pool = await self._read(plan.pool_name)
            if pool is None:
                return await self._put(plan, progress, match_condition=MatchConditions.IfMissing)
            return await self._continue_with(pool, plan, progress)

    @signatures.implements(signatures.DELETE_NODE_POOL)
    async def delete_node_pool(self, key: PoolKey) -> Released:
        """Returns when ARM has returned NotFound twice. Raises CloudBusy while another operation holds the pool."""
        async with heartbeating() as progress:
            pool = await self._read(key.pool_name)
            while pool is not None and agent_pool_spec.owned_by(pool, key.workspace.uid):
                progress.report(DELETING)
                await self._delete(key.pool_name, pool)
                pool = await self._read(key.pool_name)
            gone_at = datetime.now(UTC)
            await asyncio.sleep(SETTLE_S)
            late = await self._read(key.pool_name)
            if late is not None and agent_pool_spec.owned_by(late, key.workspace.uid):
                raise failure("CloudBusy", f"node pool {key.pool_name} appeared while it was being released")
            return Released(pool_name=key.pool_name, gone_at=gone_at, existed=DELETING in progress.details)

    async def read_held(self, key: PoolKey) -> PoolBought | None:
        """Returns the Workspace's pool in any state."""
        pool = await self._read(key.pool_name)
        if pool is None or not agent_pool_spec.owned_by(pool, key.workspace.uid):
            return None
        return agent_pool_spec.bought(pool)

    @signatures.implements(signatures.READ_OWNED_POOLS)
    async def read_owned_pools(self, scope: SweepScope) -> Inventory:
        """Returns every pool of the cluster with our tags, in any state."""
        found = []
        async for pool in self._operations.list(*self._cluster):
            owner = agent_pool_spec.owner_of(pool)
            if owner:
                found.append(OwnedResource(kind="node_pool", name=pool.name or "", workspace=owner))
        return Inventory(things=sorted(found, key=lambda thing: thing.name))

    async def _continue_with(self, pool: AgentPool, plan: Plan, progress: Progress) -> PoolBought:
        match agent_pool_spec.state_of(pool, plan):
            case PoolState.READY if plan.repair and not progress.details:
                return await self._put(plan, progress, etag=pool.e_tag, match_condition=MatchConditions.IfNotModified)
            case PoolState.READY:
                return agent_pool_spec.bought(pool)
            case PoolState.FOREIGN:
                tags = agent_pool_spec.properties_of(pool).tags
                message = f"node pool {plan.pool_name} exists with another owner's tags: {tags}. Delete or rename it"
                raise failure("OwnershipConflict", message)
            case PoolState.DELETING:
                raise failure(
                    "CloudBusy", f"node pool {plan.pool_name} is being deleted; it is bought again after that"
                )
            case PoolState.BUSY:
                return await self._join(plan, progress)
            case PoolState.TO_REPAIR:
                return await self._put(plan, progress, etag=pool.e_tag, match_condition=MatchConditions.IfNotModified)

    async def _put(self, plan: Plan, progress: Progress, **condition: Any) -> PoolBought:
        """Sends the attempt's only PUT, then waits for its operation."""
        poller = await self._begin(plan, **condition)
        return await self._outcome(plan, progress, poller, datetime.now(UTC))

    async def _join(self, plan: Plan, progress: Progress) -> PoolBought:
        """Waits for a running operation: ours, by its token, or one whose token was lost with a worker."""
        if progress.details:
            token, accepted_at = progress.details
            poller = await self._begin(plan, continuation_token=token)
            return await self._outcome(plan, progress, poller, datetime.fromisoformat(accepted_at))
        activity.logger.info("joining the operation that runs on the node pool", extra={"pool": plan.pool_name})
        while True:
            await asyncio.sleep(self._poll_s)
            pool = await self._read(plan.pool_name)
            if pool is None or agent_pool_spec.state_of(pool, plan) is not PoolState.BUSY:
                break
        if pool is None or agent_pool_spec.state_of(pool, plan) is not PoolState.READY:
            state = agent_pool_spec.properties_of(pool).provisioning_state if pool else "NotFound"
            raise failure("PoolFailed", f"the operation on node pool {plan.pool_name} ended as {state}")
        return agent_pool_spec.bought(pool)

    async def _begin(self, plan: Plan, **options: Any) -> AsyncLROPoller[AgentPool]:
        return await self._operations.begin_create_or_update(
            *self._cluster, plan.pool_name, agent_pool_spec.pool_of(plan), **options
        )

    async def _outcome(
        self, plan: Plan, progress: Progress, poller: AsyncLROPoller[AgentPool], accepted_at: datetime
    ) -> PoolBought:
        progress.report(poller.continuation_token(), accepted_at.isoformat())
        pool = await poller.result()
        known = {"pool_name": plan.pool_name, "accepted_at": accepted_at}
        return agent_pool_spec.bought(pool).model_copy(update=known)

    async def _delete(self, name: str, pool: AgentPool) -> None:
        if agent_pool_spec.is_deleting(pool):
            await asyncio.sleep(self._poll_s)
            return
        # Undeploy has removed our pods; another owner's disruption budget must not keep a GPU node running.
        poller = await self._operations.begin_delete(*self._cluster, name, ignore_pod_disruption_budget=True)
        await poller.result()

    async def _read(self, name: str) -> AgentPool | None:
        try:
            return await self._operations.get(*self._cluster, name)
        except ResourceNotFoundError:
            return None
