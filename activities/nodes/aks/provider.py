"""Creates and deletes AKS agent pools. Every call is idempotent: names are deterministic, and a pool that is there is
read before anything is done to it.

A long-running operation is resumed from its continuation token after a worker is lost, so that no second PUT is sent.
operations.py knows when to look at one, agent_pool_spec.py builds the pools, errors/azure.py maps the errors. Nothing
is written while the cluster takes no changes (cluster_state.py), and nothing bought that the operator's policy does not
allow by the very request that is sent (nodes/allowance.py).
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.core.polling import AsyncLROPoller
from azure.mgmt.containerservice.models import AgentPool, ManagedCluster
from temporalio import activity

from activities.clients.azure import Azure
from activities.clients.azure_listings import POOLS_KEPT_S, pools_of
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.contract.sweep import Inventory, OwnedResource, SweepScope
from activities.heartbeat import Progress, heartbeating
from activities.nodes.aks import agent_pool_spec, cluster_state
from activities.nodes.aks.agent_pool_spec import PoolState
from activities.nodes.aks.operations import SeldomPolling, UsualDurations
from activities.nodes.aks.pool_options import AKS_DEFAULTS, PoolOptions
from activities.nodes.allowance import Allowance
from api.policy.document import Policy
from api.policy.purchases import PolicySource, Purchase

DELETING: Final = "deleting"
"""Heartbeat detail of a release: a pool existed, whichever attempt found it."""
NOTHING_NEW: Final = "nothing new"
"""Heartbeat detail of an operation that buys no more than was there, and is not judged."""
SETTLE_S: Final = 1.0
"""A PUT whose sender was killed can reach ARM this much later; a pool counts as gone if it is still NotFound then."""


class AgentPools:
    """One agent pool per Workspace in one AKS cluster."""

    def __init__(
        self, azure: Azure, options: PoolOptions = AKS_DEFAULTS, policy: PolicySource = lambda: Policy()
    ) -> None:
        self._operations = azure.pools.agent_pools
        self._options = options
        self._listings = azure.listings
        self._cluster = (azure.settings.resource_group, azure.settings.cluster)
        self._poll_s = azure.settings.polling_interval
        self._durations = UsualDurations()
        self._allowance = Allowance(policy, azure.settings.location, self._bought)

    @signatures.implements(signatures.ENSURE_NODE_POOL)
    async def ensure_node_pool(self, plan: Plan) -> PoolBought:
        """Returns when ARM reports Succeeded. Raises QuotaExceeded, SkuNotAvailable, AllocationFailed, PoolFailed,
        OwnershipConflict, PolicyRefused, CloudBusy and the other reasons of errors/azure.py; at once ClusterStopped and
        ClusterUpgrading."""
        async with heartbeating() as progress:
            progress.note_met()  # ARM answers whether the cluster runs or not
            looks_first = progress.details or not self._listings.seemed_missing(plan.pool_name)
            pool = await self._read(plan.pool_name) if looks_first else None
            if pool is None:
                await self._require_changeable()
                bought = await self._buy(plan, progress)
                if isinstance(bought, PoolBought):
                    return bought
                pool = bought
            return await self._continue_with(pool, plan, progress)

    @signatures.implements(signatures.DELETE_NODE_POOL)
    async def delete_node_pool(self, key: PoolKey) -> Released:
        """Returns when the deletion has ended and ARM returns NotFound. Raises CloudBusy while another operation holds
        the pool, and at once ClusterStopped and ClusterUpgrading."""
        async with heartbeating() as progress:
            progress.note_met()  # ARM answers whether the cluster runs or not
            pool = await self._read(key.pool_name)
            if pool is not None and agent_pool_spec.owned_by(pool, key.workspace):
                progress.report(DELETING)
                await self._delete(key, pool)
            gone_at = datetime.now(UTC)
            await asyncio.sleep(SETTLE_S)
            late = await self._read(key.pool_name)
            if late is not None and agent_pool_spec.owned_by(late, key.workspace):
                raise failure("CloudBusy", f"node pool {key.pool_name} appeared while it was being released")
            return Released(pool_name=key.pool_name, gone_at=gone_at, existed=DELETING in progress.details)

    async def read_held(self, key: PoolKey) -> PoolBought | None:
        """Returns the Workspace's pool in any state."""
        pool = await self._read(key.pool_name)
        if pool is None or not agent_pool_spec.owned_by(pool, key.workspace):
            return None
        return agent_pool_spec.bought(pool)

    @signatures.implements(signatures.READ_OWNED_POOLS)
    async def read_owned_pools(self, scope: SweepScope) -> Inventory:
        """Returns every pool of the cluster with our tags, in any state, from a list that begins now. With
        `when_changeable` raises ClusterStopped or ClusterUpgrading, to be tried again, while the cluster takes no
        changes."""
        cluster, found = await self._cluster_now(), []
        if scope.when_changeable and (waiting := cluster_state.still_held_up(cluster, _waited())):
            raise waiting
        for pool in pools_of(cluster):
            owner = agent_pool_spec.owner_of(pool)
            if owner:
                found.append(OwnedResource(kind="node_pool", name=pool.name or "", workspace=owner))
        return Inventory(things=sorted(found, key=lambda thing: thing.name))

    async def _buy(self, plan: Plan, progress: Progress) -> PoolBought | AgentPool:
        """Returns the pool that is there by now if it was not missing."""
        body = agent_pool_spec.pool_of(plan, self._options)
        async with self._allowance.buying(self._purchase(plan, body)):
            try:
                poller = await self._begin(plan, body, match_condition=MatchConditions.IfMissing)
            except ResourceExistsError:  # it is there by now, or ARM is busy
                pool = await self._read(plan.pool_name)
                if pool is None:
                    raise
                return pool
            return await self._outcome(plan, progress, poller, datetime.now(UTC))

    async def _continue_with(self, pool: AgentPool, plan: Plan, progress: Progress) -> PoolBought:
        match agent_pool_spec.state_of(pool, plan):
            case PoolState.READY if plan.repair and not progress.details:
                await self._require_changeable(now=True)
                return await self._repair(plan, progress, pool)
            case PoolState.READY:
                if progress.details and NOTHING_NEW not in progress.details:
                    await self._require_room(plan)  # an attempt that bought it may have been lost before it looked
                return agent_pool_spec.bought(pool)
            case PoolState.FOREIGN:
                tags = agent_pool_spec.properties_of(pool).tags or "none"
                message = f"node pool {plan.pool_name} exists with another owner's tags: {tags}. Delete or rename it"
                raise failure("OwnershipConflict", message)
            case PoolState.DELETING:
                raise failure(
                    "CloudBusy", f"node pool {plan.pool_name} is being deleted; it is bought again after that"
                )
            case PoolState.BUSY:
                return await self._join(plan, progress)
            case PoolState.TO_REPAIR:
                await self._require_changeable(now=True)
                return await self._repair(plan, progress, pool)

    async def _repair(self, plan: Plan, progress: Progress, pool: AgentPool) -> PoolBought:
        wanted = agent_pool_spec.repaired(pool, plan, self._options)
        options = {"etag": pool.e_tag, "match_condition": MatchConditions.IfNotModified}
        if agent_pool_spec.is_no_more_than(wanted, pool):
            poller = await self._begin(plan, wanted, **options)
            return await self._outcome(plan, progress, poller, datetime.now(UTC), NOTHING_NEW)
        async with self._allowance.buying(self._purchase(plan, wanted)):
            poller = await self._begin(plan, wanted, **options)
            return await self._outcome(plan, progress, poller, datetime.now(UTC))

    async def _join(self, plan: Plan, progress: Progress) -> PoolBought:
        """Waits for a running operation: ours, by its token, or one whose token was lost with a worker."""
        if progress.details:
            token, accepted, *kind = progress.details
            accepted_at = datetime.fromisoformat(accepted)
            age_s = max(0.0, (datetime.now(UTC) - accepted_at).total_seconds())
            poller = await self._begin(plan, age_s=age_s, continuation_token=token)
            return await self._outcome(plan, progress, poller, accepted_at, *kind)
        activity.logger.info("joining the operation that runs on the node pool", extra={"pool": plan.pool_name})
        began = time.monotonic()
        while True:
            await asyncio.sleep(self._durations.wait("put", began, least_s=self._poll_s))
            pool = await self._read(plan.pool_name)
            if pool is None or agent_pool_spec.state_of(pool, plan) is not PoolState.BUSY:
                break
        if pool is None or agent_pool_spec.state_of(pool, plan) is not PoolState.READY:
            state = (agent_pool_spec.properties_of(pool).provisioning_state or "unknown") if pool else "NotFound"
            raise failure("PoolFailed", f"the operation on node pool {plan.pool_name} ended as {state}")
        return agent_pool_spec.bought(pool)

    async def _begin(
        self, plan: Plan, wanted: AgentPool | None = None, *, age_s: float = 0.0, **options: Any
    ) -> AsyncLROPoller[AgentPool]:
        """Puts this body; without one resumes an operation."""
        body = wanted or agent_pool_spec.pool_of(plan, self._options)
        polling = SeldomPolling("put", self._durations, age_s=age_s, least_s=self._poll_s)
        return await self._operations.begin_create_or_update(
            *self._cluster, plan.pool_name, body, polling=polling, **options
        )

    async def _outcome(
        self, plan: Plan, progress: Progress, poller: AsyncLROPoller[AgentPool], accepted_at: datetime, *kind: str
    ) -> PoolBought:
        progress.report(poller.continuation_token(), accepted_at.isoformat(), *kind)
        if NOTHING_NEW not in kind:
            await self._require_room(plan)
        await poller.wait()
        return agent_pool_spec.bought_as_planned(plan).model_copy(update={"accepted_at": accepted_at})

    async def _require_room(self, plan: Plan) -> None:
        """Gives the pool back and raises PolicyRefused if others bought at the same moment, and it is too much."""
        body = agent_pool_spec.pool_of(plan, self._options)
        if excess := await self._allowance.excess(self._purchase(plan, body)):
            activity.logger.warning("the node pool is given back", extra={"pool": plan.pool_name, "cause": excess})
            await self._delete(PoolKey(workspace=plan.key, pool_name=plan.pool_name), await self._read(plan.pool_name))
            raise failure("PolicyRefused", f"{excess}. Others bought at the same moment, and these nodes were released")

    def _purchase(self, plan: Plan, body: AgentPool) -> Purchase:
        found = agent_pool_spec.purchase_of(body, plan.pool_name, self._allowance.price)
        if found is None:  # a pool without a namespace, name or uid would be nobody's, and never released
            raise failure("InvalidSpec", f"node pool {plan.pool_name} would have no owner")
        return found

    async def _bought(self, since: float) -> Sequence[Purchase]:
        """What all Workspaces have in node pools, by ARM's own list."""
        cluster = await self._listings.cluster.get(max(since, self._listings.cluster.now() - POOLS_KEPT_S))
        found = (
            agent_pool_spec.purchase_of(pool, pool.name or "", self._allowance.price) for pool in pools_of(cluster)
        )
        return [purchase for purchase in found if purchase is not None]

    async def _delete(self, key: PoolKey, pool: AgentPool | None) -> None:
        """Returns when the pool is gone; a deletion that another attempt has begun is only waited for."""
        began = time.monotonic()
        while pool is not None and agent_pool_spec.owned_by(pool, key.workspace):
            if not agent_pool_spec.is_deleting(pool):
                await self._require_changeable(now=cluster_state.follows_a_stop(pool))
                polling = SeldomPolling("delete", self._durations, age_s=0.0, least_s=self._poll_s)
                # Undeploy has removed our pods; another owner's disruption budget must not keep a GPU node running.
                poller = await self._operations.begin_delete(
                    *self._cluster, key.pool_name, ignore_pod_disruption_budget=True, polling=polling
                )
                return await poller.wait()
            await asyncio.sleep(self._durations.wait("delete", began, least_s=self._poll_s))
            pool = await self._read(key.pool_name)

    async def _require_changeable(self, *, now: bool = False) -> None:
        """Raises ClusterStopped or ClusterUpgrading if the cluster takes no changes; `now` trusts no older answer."""
        cluster = await self._cluster_now() if now else await self._listings.recent_cluster()
        if waiting := cluster_state.held_up(cluster):
            raise waiting

    async def _cluster_now(self) -> ManagedCluster:
        return await self._listings.cluster.get(self._listings.cluster.now())

    async def _read(self, name: str) -> AgentPool | None:
        try:
            return await self._operations.get(*self._cluster, name)
        except ResourceNotFoundError:
            return None


def _waited() -> timedelta:
    """How long ago the activity was asked for."""
    return datetime.now(UTC) - activity.info().scheduled_time
