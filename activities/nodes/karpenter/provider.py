"""Gets nodes from gpu-provisioner or Karpenter: creates NodeClaims, watches until they are ready, deletes them.

Every call is idempotent: names are deterministic and existing claims are listed first. node_claim.py builds claims,
decisions.py decides what to do, failures.py maps problems. Claims are created only where the operator's policy allows
the purchase (nodes/allowance.py).
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import activity

from activities.clients.kubernetes import Cluster
from activities.clients.watch import Collection
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.deadline import deadline_after
from activities.heartbeat import Progress, heartbeating
from activities.nodes.allowance import Allowance
from activities.nodes.karpenter import failures, node_claim
from activities.nodes.karpenter.claims import Claims
from activities.nodes.karpenter.decisions import Attempt, Decision, decide, failure_of, too_late
from activities.nodes.karpenter.kaito_pools import delete_pools, pools_of
from activities.nodes.karpenter.node_claim import NodeClass
from api.policy.document import Policy
from api.policy.purchases import PolicySource, Purchase

PATIENCE: Final = timedelta(seconds=90)
"""gpu-provisioner retries a failed launch after a minute at most."""
GONE_WITHIN: Final = timedelta(minutes=30)
"""Draining may take node_claim.DRAIN_DEADLINE, AKS needs up to ten minutes more to delete a pool."""
SETTLE_S: Final = 1.0
"""A create whose sender was killed can arrive this much later; claims count as gone if none is found twice."""
DELETING: Final = "deleting"
"""Heartbeat detail of a release: a claim existed, whichever attempt found it."""


class NodeClaims:
    """One NodeClaim per node of a Workspace."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        node_class: NodeClass | None = None,
        patience: timedelta = PATIENCE,
        gone_within: timedelta = GONE_WITHIN,
        policy: PolicySource = lambda: Policy(),
        region: str = "",
    ) -> None:
        self._allowance = Allowance(policy, region, self._bought)
        self._cluster = cluster
        self._claims = Claims(cluster, node_class or NodeClass())
        self._patience = patience
        self._gone_within = gone_within

    @signatures.implements(signatures.ENSURE_NODE_CLAIMS)
    async def ensure_node_pool(self, plan: Plan) -> PoolBought:
        """Returns when every claim has its Node. Raises QuotaExceeded, SkuNotAvailable, AllocationFailed, PoolFailed,
        NodeNotJoined, OwnershipConflict, PolicyRefused, and InvalidSpec for more nodes than there are names."""
        if plan.node_count > node_claim.NODES_MAX:
            raise failure("InvalidSpec", f"the plan has {plan.node_count} nodes: use at most {node_claim.NODES_MAX}")
        deadline = deadline_after(timedelta(seconds=plan.deadlines.provision))
        attempt, decision = Attempt(self._patience), decide({}, plan)
        async with heartbeating() as progress:
            while datetime.now(UTC) < deadline:
                looks = self._claims.observed(plan.key, until=attempt.look_again_at(deadline))
                async with aclosing(looks):  # an exception must not keep the watch open while its traceback is held
                    async for observed in looks:
                        progress.note_met()
                        decision = await self._step(observed, plan, attempt)
                        _report(progress, decision, plan)
                        complete = len(decision.ready) == plan.node_count
                        if complete and await self._nodes_are_there(decision, plan, attempt):
                            return node_claim.bought(plan, decision.kept)
                        attempt.judge(decision, plan, datetime.now(UTC))
                attempt.judge(decision, plan, datetime.now(UTC))
        raise too_late(decision, plan)

    @signatures.implements(signatures.DELETE_NODE_CLAIMS)
    async def delete_node_pool(self, key: PoolKey) -> Released:
        """Returns when neither a claim nor a Node of the Workspace is left, checked twice. Raises CleanupBlocked that
        names what is left, with its finalizers."""
        async with heartbeating() as progress:
            until = datetime.now(UTC) + self._gone_within
            had_pool = await delete_pools(self._cluster, key.workspace, until)
            existed = await self._claims.until_all_gone(key.workspace, until, lambda: progress.report(DELETING))
            progress.note_met()
            gone_at = datetime.now(UTC)
            await asyncio.sleep(SETTLE_S)
            if await self.read_held(key) is not None:
                raise failure("CloudBusy", f"a NodeClaim of {key.pool_name} appeared while they were being released")
            existed = existed or had_pool or DELETING in progress.details
            return Released(pool_name=key.pool_name, gone_at=gone_at, existed=existed)

    async def read_held(self, key: PoolKey) -> PoolBought | None:
        """Returns the Workspace's claims and KAITO's NodePools of it, including those being deleted."""
        ours = await self._claims.listed(key.workspace) or await pools_of(self._cluster, key.workspace)
        return node_claim.bought(key, ours) if ours else None

    async def _step(self, observed: Collection, plan: Plan, attempt: Attempt) -> Decision:
        """Executes the current decision. Raises if Karpenter has withdrawn a claim of ours."""
        for name in attempt.withdrawn(observed):
            problem = failures.withdrawn(await self._claims.events(name))
            raise failure_of(problem, name, decide(observed, plan), plan)
        decision = decide(observed, plan, attempt.under_way)
        for claim in decision.adopt:
            await self._claims.adopt(claim, plan.key)
        for claim in decision.delete:
            attempt.forget(claim["metadata"]["name"])
            await self._claims.delete(claim)
        if decision.create:
            await self._create(decision.create, plan, attempt)
        return decision

    async def _create(self, names: list[str], plan: Plan, attempt: Attempt) -> None:
        """Raises PolicyRefused, when nothing was created, or all of it is being deleted again."""
        wanted = self._purchase(plan)
        async with self._allowance.buying(wanted):
            for name in names:
                await self._claims.create(plan, name)
                attempt.under_way.add(name)
            if excess := await self._allowance.excess(wanted):
                for claim in await self._claims.listed(plan.key):
                    await self._claims.delete(claim)
                message = f"{excess}. Others bought at the same moment, and these nodes were released"
                raise failure("PolicyRefused", message)

    def _purchase(self, plan: Plan) -> Purchase:
        """All nodes of the Workspace: they are bought together or not at all."""
        return Purchase(
            namespace=plan.key.namespace,
            name=plan.key.uid,
            provider="karpenter",
            machine=plan.instance_type,
            nodes=plan.node_count,
            node_dollars=self._allowance.price(plan.instance_type),
        )

    async def _bought(self, since: float) -> Sequence[Purchase]:
        """What all Workspaces have in NodeClaims; the API server's list is never old."""
        return node_claim.purchases_of(await self._claims.of_everyone(), self._allowance.price)

    async def _nodes_are_there(self, decision: Decision, plan: Plan, attempt: Attempt) -> bool:
        """Whether every claim's Node exists, with our labels. Deletes the claims of lost Nodes."""
        lost = await self._claims.without_node(decision.kept, plan.key)
        for claim in lost:
            activity.logger.info(
                "a NodeClaim's Node is gone; it is replaced", extra={"claim": claim["metadata"]["name"]}
            )
            attempt.forget(claim["metadata"]["name"])
            await self._claims.delete(claim)
        return not lost


def _report(progress: Progress, decision: Decision, plan: Plan) -> None:
    counts: dict[str, Any] = {
        "launched": sum(node_claim.stages_passed(claim) > 0 for claim in decision.kept),
        "ready": len(decision.ready),
        "wanted": plan.node_count,
    }
    progress.report(counts)
